"""The captive portal: answer all DNS queries at the board's access point with its own address.

A phone that joins resolves a name of its manufacturer to test for internet access. It reaches the
board instead, and server.portal redirects it to the page.
"""

import socket

import network
from micropython import const

_PORT = const(53)
_MAX_QUERY = const(512)  # bytes (RFC 1035, section 2.3.4)
# The end of a response: a pointer to the name in the question, type A, class IN, a TTL of 5 s, and
# the length of the address that follows.
_RECORD = const(b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4")
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
            response = _answer(query, network.WLAN(network.AP_IF).ifconfig()[0])
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


def _answer(query, address):
    """Return the response to a DNS query (RFC 1035): this address for every name.

    Return None if the packet is not a query.
    """
    # Only standard queries with one question; additional records (EDNS) may follow.
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    end = 12
    while 0 < query[end] < 64 and end + query[end] < len(query) - 5:
        end += query[end] + 1
    if query[end]:
        return None
    end += 5
    record = b""
    if query[end - 4 : end] in (b"\0\1\0\1", b"\0\xff\0\1"):  # type A or ANY, class IN
        record = _RECORD + bytes(int(part) for part in address.split("."))
    # Response, authoritative, recursion available, no error; one question, at most one answer.
    head = bytes((query[2] | 0x84, 0x80, 0, 1, 0, bool(record), 0, 0, 0, 0))
    return query[:2] + head + query[12:end] + record
