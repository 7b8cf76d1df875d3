"""The captive portal: answer all DNS queries at the board's access point with its own address.

A phone that joins resolves a name of its manufacturer to test for internet access. It reaches the
board instead, and server.portal redirects it to the page.
"""

import socket

import network
from micropython import const

from .dns import answer

_PORT = const(53)
_MAX_QUERY = const(512)  # bytes (RFC 1035, section 2.3.4)
_BURST = const(4)  # queries answered in one turn of the server's loop


def start(server, log=print) -> None:
    """Answer DNS queries from now on. If the port is not available, log it and do nothing."""
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(socket.getaddrinfo("0.0.0.0", _PORT)[0][-1])
    except OSError as error:
        log("wifi: captive portal disabled: UDP port %d is not available: %s" % (_PORT, error))
        return
    server.add_reader(sock, _receive)


def _receive(sock):
    """Answer waiting queries. Other packets are ignored."""
    try:
        for _ in range(_BURST):
            query, sender = sock.recvfrom(_MAX_QUERY)
            response = answer(query, network.WLAN(network.AP_IF).ifconfig()[0])
            if response:
                sock.sendto(response, sender)
    except OSError:
        pass  # no query is waiting, or the send buffer is full: clients repeat their queries
    except MemoryError:
        _discard(sock)


def _discard(sock):
    """Drop one query, which the client will repeat; otherwise poll would report it forever."""
    try:
        sock.recv(1)
    except OSError:
        pass
