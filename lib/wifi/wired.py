"""Keep Ethernet or PPP, and log when its connection is lost or back.

Loaded instead of `monitor` for boards whose settings have a `network` section; stays loaded.
"""

from micropython import const

from . import monitor

interface = None  # an object of network.LAN or network.PPP; None: Wi-Fi
_net: dict = {}
_last = True  # whether it was connected
_lost = 0  # calls since the connection was lost
_REDIAL = const(15)  # calls between two attempts of PPP


def watch(net: dict) -> None:
    """Keep the interface that `fallback` has started with these settings."""
    global interface, _net
    interface = net.get("interface")
    _net = net


def check(log=print) -> None:
    """Log changes since the last call, of Wi-Fi as well. Call it from a timer."""
    global _last
    monitor.check(log)
    if not interface:
        return
    now = interface.isconnected()
    if now != _last:
        log("network: %s" % ("connected again" if now else "connection lost, reconnecting"))
        _last = now
    if not now:
        _redial(log)


def _redial(log):
    """Dial again, from time to time, if the interface is PPP. Ethernet reconnects itself."""
    global _lost
    _lost += 1
    if hasattr(interface, "poll") and _lost % _REDIAL == 1:
        from wsserver import lazy

        try:
            lazy.call("wifi.ppp", "dial", interface, _net)
        except OSError as error:  # it is connecting already
            log("network: PPP: %s" % error)
