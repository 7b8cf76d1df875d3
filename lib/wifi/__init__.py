"""Wi-Fi: the board's own access point, or a station in another network.

`connect` is loaded at startup by boot.py and unloaded again. `monitor` stays loaded.
`captive_portal` stays loaded while the board has its own access point.
"""
