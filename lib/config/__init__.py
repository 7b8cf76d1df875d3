"""config.json and the passwords that the board generates.

Loaded at startup by boot.py and unloaded again; loaded once more while the settings page is in
use. `schema` also runs on the host.
"""
