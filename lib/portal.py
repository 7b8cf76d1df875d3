"""Begins to answer every name with the board's address, on the board's own Wi-Fi.

A phone that joins asks for a name of its maker's, to find out whether there is internet. It gets
to the board instead, where server.portal sends it to the page. Only needed at start.
"""

import socket

import stations

_PORT = 53


def start(server, log=print) -> None:
    """Answer from now on. Where the port cannot be had, log(text) gets a line about it."""
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(socket.getaddrinfo("0.0.0.0", _PORT)[0][-1])
    except OSError as error:
        log("wifi: no page opens by itself: port %d cannot be used: %s" % (_PORT, error))
        return
    server.add_reader(sock, stations.asked)
