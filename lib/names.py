"""Answers every name with the board's address: RFC 1035, as much of it as that takes.

`portal` says when and why; loaded by `stations` when somebody asks.
"""

import network
from micropython import const

_MOST_BYTES = const(512)  # RFC 1035, section 2.3.4
_MOST_QUERIES = const(4)  # in one turn of the server's loop
# What ends an answer: the question's name, A, IN, valid for 5 s, 4 bytes; then the address.
_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4"


def serve(sock, query: bytes, sender) -> None:
    """Answer a query, and some of those that wait behind it; what is none is ignored."""
    try:
        for number in range(_MOST_QUERIES):
            if number:
                query, sender = sock.recvfrom(_MOST_BYTES)
            response = answer(query)
            if response:
                sock.sendto(response, sender)
    except OSError:
        pass  # nothing waits any more, or there is no room for an answer: they ask again


def answer(query: bytes):
    """The response to a query; None: it is none."""
    # A standard query with one question; what comes behind that may be anything.
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    end = 12
    while 0 < query[end] < 64 and end + query[end] < len(query) - 5:
        end += query[end] + 1
    if query[end]:
        return None
    end += 5
    record = b""
    if query[end - 4 : end] in (b"\0\1\0\1", b"\0\xff\0\1"):  # A, or anything, in IN
        address = network.WLAN(network.AP_IF).ifconfig()[0]
        record = _RECORD + bytes(int(part) for part in address.split("."))
    head = bytes((query[2] | 0x84, 0x80, 0, 1, 0, bool(record), 0, 0, 0, 0))
    return query[:2] + head + query[12:end] + record
