"""Logs Wi-Fi changes while the server runs: stations that join or leave, a lost connection."""

import network

_last = True  # MAC addresses at the access point, or whether the station is connected


def check(log=print) -> None:
    """Log what has changed since the last call. Call it from a timer."""
    global _last
    ap = network.WLAN(network.AP_IF)
    if ap.active():
        # (MAC,) or (MAC, address), depending on the release.
        now = [entry[0] for entry in ap.status("stations")]
    else:
        station = network.WLAN(network.STA_IF)
        now = station.isconnected() or not station.active()
    if now != _last:
        _log_change(_last, now, log)
        _last = now


def _log_change(before, now, log):
    if isinstance(now, bool):
        log("wifi: connected again" if now else "wifi: connection lost, reconnecting")
        return
    before = before if isinstance(before, list) else []
    for mac in sorted(now):
        if mac not in before:
            log("wifi: station %s joined" % _format(mac))
    for mac in sorted(before):
        if mac not in now:
            log("wifi: station %s left" % _format(mac))


def _format(mac):
    return ":".join("%02x" % byte for byte in mac)
