"""Wi-Fi: the board's own access point, or a station in another network.

Lifetime: `connect` is loaded at start-up by boot.py and unloaded again. `monitor` stays loaded.
`captive_portal` and `dns` stay loaded while the board has its own access point.
"""
