"""Limits of chips that have less than an ESP32. Loaded at startup on these alone.

An ESP32 has ten sockets and 5,744 bytes for TCP's window and send buffer, and so have most chips.
"""

import os

# Chip: (sockets, bytes of TCP's window, TLS connections), as in firmware/boards.toml; a test
# compares both.
LIMITS = {"ESP32C2": (6, 3072, 1)}
_HTTP = 2  # sockets that are kept for HTTP requests


def fit(settings: dict, log=print) -> None:
    """Adapt the settings to the chip. A value that was lowered is logged, with the limit."""
    # "ESP32C2 module with ESP32-C2"
    chip = os.uname().machine.split(" with ")[-1].replace("-", "")
    if chip not in LIMITS:
        return
    sockets, window, tls = LIMITS[chip]
    server = settings["server"]
    if (server["read_size"] or window + 1) > window:
        if server["read_size"]:
            text = "server.read_size: using %d instead of %d: more is never received at once"
            log(text % (window, server["read_size"]))
        server["read_size"] = window
    most = sockets - 1 - _HTTP  # one is the listener's; startup counts what is really free
    for section, name, limit in (("server", "max_clients", most), ("tls", "max_clients", tls)):
        if settings[section][name] > limit:
            text = "%s.%s: using %d instead of %d: an %s has %d sockets"
            log(text % (section, name, limit, settings[section][name], chip, sockets))
            settings[section][name] = limit
