"""Watches Wi-Fi while the server runs: who joins and leaves, whether the network is there."""

import network

_seen = set()  # hex of the MACs that were last seen at the access point
_was_connected = True  # a station that could not join has become an access point


def watch(log=print) -> None:
    """Log what has changed since the last call: for a timer."""
    global _was_connected, _seen
    ap = network.WLAN(network.AP_IF)
    if ap.active():
        # (MAC,) or (MAC, address), depending on the release.
        now = {entry[0].hex() for entry in ap.status("stations")}
        for mac in sorted(now - _seen):
            log("wifi: station %s joined" % _mac(mac))
        for mac in sorted(_seen - now):
            log("wifi: station %s left" % _mac(mac))
        _seen = now
    else:
        station = network.WLAN(network.STA_IF)
        connected = station.isconnected() or not station.active()
        if connected != _was_connected:
            log("wifi: connected again" if connected else "wifi: connection lost, trying again")
        _was_connected = connected


def _mac(text):
    return ":".join(text[index : index + 2] for index in range(0, 12, 2))


def address() -> str:
    """The board's address; 0.0.0.0 while it has none."""
    ap = network.WLAN(network.AP_IF)
    return (ap if ap.active() else network.WLAN(network.STA_IF)).ifconfig()[0]
