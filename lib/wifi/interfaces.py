"""Find the interface that has an address. Loaded while it runs."""

import network
from micropython import const

_NONE = const("0.0.0.0")


def access_point():
    """Return the access point if it is active, else None. Some chips have no Wi-Fi."""
    if hasattr(network, "WLAN") and network.WLAN(network.AP_IF).active():
        return network.WLAN(network.AP_IF)
    return None


def address() -> str:
    """Return the board's address, "0.0.0.0" while it has none."""
    found = access_point()
    if not found and hasattr(network, "WLAN"):
        found = network.WLAN(network.STA_IF)
    if not found or found.ifconfig()[0] == _NONE:
        from . import wired  # it is loaded if it is used

        found = wired.interface or found
    return found.ifconfig()[0] if found else _NONE
