"""Log changes of the network while the server runs: stations that join or leave, lost links."""

import network
from micropython import const

_interface = None  # Ethernet or PPP, or a station of network.order; None: that of `wifi`
_last = True  # the stations at the access point, or whether the interface is connected
_net: dict = {}  # the section `network` of the settings
_lost = 0  # calls since the connection was lost
_NONE = "0.0.0.0"
_REDIAL = const(15)  # calls between two attempts of PPP


def watch(net: dict) -> None:
    """Monitor the interface that `fallback` has started with these settings."""
    global _interface, _net
    _interface = net.get("interface")
    _net = net


def access_point():
    """Return the access point if it is active, else None. Some chips have no Wi-Fi."""
    wlan = getattr(network, "WLAN", None)
    if wlan:
        ap = wlan(network.AP_IF)
        if ap.active():
            return ap
    return None


def address() -> str:
    """Return the board's address, "0.0.0.0" while it has none."""
    found = [_interface, access_point()]
    if hasattr(network, "WLAN"):
        found.append(network.WLAN(network.STA_IF))
    for interface in found:
        if interface and interface.ifconfig()[0] != _NONE:
            return interface.ifconfig()[0]
    return _NONE


def check(log=print) -> None:
    """Log changes since the last call. Call it from a timer. Without a change it allocates nothing
    but the driver's list.
    """
    global _last
    now = True
    ap = access_point()
    if ap:
        now = ap.status("stations")  # [(MAC,)] or [(MAC, address)], depending on the release
    elif _interface:
        now = _interface.isconnected()
        if not now:
            _redial(log)
    elif hasattr(network, "WLAN"):
        station = network.WLAN(network.STA_IF)
        now = station.isconnected() or not station.active()
    if now != _last:
        _log_change(_last, now, log)
        _last = now


def _redial(log):
    """Dial again, from time to time, if the interface is PPP. The others reconnect themselves."""
    global _lost
    _lost += 1
    if hasattr(_interface, "poll") and _lost % _REDIAL == 1:
        from wsserver import lazy

        try:
            lazy.call("wifi.ppp", "dial", _interface, _net)
        except OSError as error:  # it is connecting already
            log("network: PPP: %s" % error)


def _log_change(before, now, log):
    if isinstance(now, bool):
        name = "network" if _interface else "wifi"
        log("%s: %s" % (name, "connected again" if now else "connection lost, reconnecting"))
        return
    now = _addresses(now)
    before = [] if isinstance(before, bool) else _addresses(before)
    for mac in now:
        if mac not in before:
            log("wifi: station %s joined" % _format(mac))
    for mac in before:
        if mac not in now:
            log("wifi: station %s left" % _format(mac))


def _addresses(stations):
    """Return the sorted MAC addresses of a list from the driver."""
    return sorted([station[0] for station in stations])


def _format(mac):
    return ":".join("%02x" % byte for byte in mac)
