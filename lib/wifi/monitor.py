"""Log Wi-Fi changes while the server runs: stations that join or leave, a lost connection."""

import binascii

import network

_last = True  # the stations at the access point, or whether the station is connected


def check(log=print) -> None:
    """Log changes since the last call. Call it from a timer. Without a change it allocates nothing
    but the driver's list.
    """
    global _last
    if not hasattr(network, "WLAN"):  # an ESP32-H2 or P4
        return
    ap = network.WLAN(network.AP_IF)
    if ap.active():
        now = ap.status("stations")  # [(MAC,)] or [(MAC, address)], depending on the release
    else:
        station = network.WLAN(network.STA_IF)
        now = station.isconnected() or not station.active()
    if now == _last:
        return
    before = _last
    _last = now
    if isinstance(now, bool):
        log("wifi: connected again" if now else "wifi: connection lost, reconnecting")
        return
    # Sorted MAC addresses.
    now = sorted([station[0] for station in now])
    before = [] if isinstance(before, bool) else sorted([station[0] for station in before])
    for mac in now:
        if mac not in before:
            log("wifi: station %s joined" % binascii.hexlify(mac, b":").decode())
    for mac in before:
        if mac not in now:
            log("wifi: station %s left" % binascii.hexlify(mac, b":").decode())
