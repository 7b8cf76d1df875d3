"""config.json and the passwords that the board generates.

Loaded at startup by boot.py and unloaded again; loaded once more while the settings page is in
use. `network` and `fleet` are loaded if config.json has such a section, `chips` on chips with less
than an ESP32 has, `requirements` for an invalid value, and `place` for a broken file. `schema`,
`network`, `fleet` and `requirements` also run on the host.
"""
