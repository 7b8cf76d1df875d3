"""Resolve host names without blocking the loop, by DNS and mDNS (RFC 1035, RFC 6762)."""

import socket
from os import urandom
from time import ticks_diff, ticks_ms

import network
from micropython import const

_PORT = const(53)
_MDNS = const("224.0.0.251")
_MDNS_PORT = const(5353)
_MAX_ANSWER = const(512)  # bytes (RFC 1035, section 2.3.4)
_TIMEOUT = const(1500)  # ms until the query is repeated
_TRIES = const(3)
_A = const(1)  # type of a record with an IPv4 address
_POINTER = const(0xC0)


def resolve(host: str):
    """Yield until a name is resolved. Return (whether that has blocked the loop, IPv4 address).

    Raises OSError if the name is not found.
    """
    if host.replace(".", "").isdigit():
        return False, host
    if host == "localhost":
        return False, "127.0.0.1"
    server, port = _MDNS, _MDNS_PORT
    if not host.endswith(".local"):
        server, port = network.ipconfig("dns"), _PORT
        if server == "0.0.0.0":  # no DNS server is known: leave it to the system
            info = socket.getaddrinfo(host, 0, socket.AF_INET)
            return True, info[0][-1][0]
    address = yield from answer(server, port, query(host), read)
    if not address:
        raise OSError("cannot resolve %s (fleet.host)" % host)
    return False, address


def answer(host: str, port: int, request: bytes, check):
    """Yield until a server answers over UDP. Return what check returns, or None without an answer.

    check(request, data): returns None for data that does not answer the request.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        address = socket.getaddrinfo(host, port)[0][-1]
        for _ in range(_TRIES):
            sock.sendto(request, address)
            start = ticks_ms()
            while ticks_diff(ticks_ms(), start) < _TIMEOUT:
                yield
                try:
                    data = sock.recvfrom(_MAX_ANSWER)[0]
                except OSError:  # nothing has arrived
                    continue
                found = check(request, data)
                if found is not None:
                    return found
    finally:
        sock.close()


def query(host: str) -> bytes:
    """Return a query for the IPv4 address of a name."""
    out = bytearray(urandom(2))
    out.extend(b"\1\0\0\1\0\0\0\0\0\0")
    for label in host.split("."):
        label = label.encode()
        out.append(len(label) & 63)
        out.extend(label)
    out.extend(b"\0\0\1\0\1")
    return bytes(out)


def read(request: bytes, data: bytes):
    """Return the first IPv4 address in a response, "" if it has none, or None for other data.

    CNAME records come before the address that they lead to.
    """
    if len(data) < 12 or data[:2] != request[:2] or not data[2] & 0x80:
        return None
    try:
        pos = 12
        for _ in range(data[5]):
            pos = _scan(data, pos) + 4
        for _ in range(data[7]):
            pos = _scan(data, pos)
            size = data[pos + 8] << 8 | data[pos + 9]
            if data[pos] == 0 and data[pos + 1] == _A and size == 4:
                return "%d.%d.%d.%d" % tuple(data[pos + 10 : pos + 14])
            pos += 10 + size
    except (IndexError, TypeError):  # cut short
        pass
    return ""


def _scan(data, pos):
    while data[pos]:
        if data[pos] & _POINTER:
            return pos + 2
        pos += data[pos] + 1
    return pos + 1
