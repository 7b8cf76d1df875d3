"""Networks: the board's own access point, a station in another network, Ethernet and PPP.

`connect` is loaded at startup by boot.py and unloaded again, with `fallback`, `addresses`,
`ethernet` and `ppp` if config.json has a section `network` that needs them. `monitor`, or `wired`
with such a section, stays loaded. `captive_portal` stays loaded while the board has its own access
point. `interfaces` is loaded while it runs.
"""
