"""Watches Wi-Fi while the server runs. What has to be done then is loaded when it is."""

import gc
import sys

import network
from micropython import const

from wsserver.lazy import load

_QUERY = const(512)  # bytes, the most that one has (RFC 1035, section 2.3.4)
_PLENTY = const(30000)  # bytes of heap, of which code that will be needed again may keep some

_last = True  # MACs at the access point, or whether the network is there


def watch(log=print) -> None:
    """Log what has changed since the last call: for a timer."""
    global _last
    ap = network.WLAN(network.AP_IF)
    if ap.active():
        # (MAC,) or (MAC, address), depending on the release.
        now = [entry[0] for entry in ap.status("stations")]
    else:
        station = network.WLAN(network.STA_IF)
        now = station.isconnected() or not station.active()
    if now != _last:
        load("news").tell(_last, now, log)
        del sys.modules["news"]
        _last = now


def asked(sock) -> None:
    """Somebody at the access point asks for a name, or comes for something else: for server's
    watch.
    """
    try:
        try:
            query, sender = sock.recvfrom(_QUERY)
            load("names").serve(sock, query, sender)
            if gc.mem_free() < _PLENTY:
                del sys.modules["names"]
        except MemoryError:
            sock.recv(1)  # one query less: they ask again
    except OSError:
        pass  # nobody asks
