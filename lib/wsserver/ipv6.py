"""Addresses of IPv6 clients: how they are written, compared and limited (RFC 4291, RFC 5952).

Loaded with the first listener for IPv6, or for the first client whose proxy names such an address.
"""

import errno
import select
import socket
from time import ticks_diff, ticks_ms

from wsserver.core.frames import const

_MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"  # the first 12 bytes of an IPv4 client's address
_PROBE_MS = const(500)  # for a connection to oneself
_LINK_LOCAL = const(0xFE80)


def check(port: int) -> None:
    """Check, with a connection to oneself, that listeners report addresses of IPv6 clients.

    MicroPython's ESP32 port accepts IPv6 connections, but up to 1.29 it reports all of them, also
    those over IPv4, as 0.0.0.0. Limits for each address would then count all clients as one.

    Raises OSError.
    """
    if not hasattr(socket, "AF_INET6"):
        raise OSError(errno.EOPNOTSUPP)
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    client = None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::1", port))  # nothing else can connect to it
        listener.listen(1)
        client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        client.setblocking(False)
        try:
            client.connect(("::1", port))
        except OSError as error:
            if error.errno not in (errno.EINPROGRESS, errno.EAGAIN):
                raise
        if ":" not in _accept(listener):
            raise OSError(errno.EOPNOTSUPP)
    finally:
        listener.close()
        if client:
            client.close()


def _accept(listener):
    """Return the address of the next connection, which is closed."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    start = ticks_ms()
    while ticks_diff(ticks_ms(), start) < _PROBE_MS:
        if poll.poll(_PROBE_MS):
            sock, address = listener.accept()
            sock.close()
            return address[0]
    raise OSError(errno.ETIMEDOUT)


def peer(address: tuple) -> tuple:
    """Return (IP, port) of a client: as RFC 5952 writes it, or as an IPv4 address."""
    ip = address[0].partition("%")[0]
    data = parse(ip)
    return text(data) if data else ip, address[1]


def network(ip: str) -> str:
    """Return what limits count: the /64 network of an address, or the address itself.

    A provider gives each customer a /64, in which a client can use any address. Within a link,
    every device shares fe80::/64, so that addresses are counted there.
    """
    data = parse(ip.partition("%")[0])
    if not data:
        return ip
    first = data[0] << 8 | data[1]
    if data[:12] == _MAPPED or first & 0xFFC0 == _LINK_LOCAL or not first:
        return text(data)
    return text(data[:8] + bytes(8)) + "/64"


def parse(ip: str):
    """Return the 16 bytes of an IPv6 address, or None if it is not valid."""
    head, gap, tail = ip.partition("::")
    front, back = _groups(head), _groups(tail)
    if front is None or back is None or "::" in tail:
        return None
    missing = 16 - len(front) - len(back)
    if missing < 0 or bool(missing) != bool(gap):
        return None
    return front + bytes(missing) + back


def _groups(text):
    """Return the bytes of groups between colons; the last one may be an IPv4 address."""
    data = b""
    if not text:
        return data
    groups = text.split(":")
    try:
        for index, group in enumerate(groups):
            if "." in group and index == len(groups) - 1:
                parts = group.split(".")
                if len(parts) != 4:
                    return None
                data += bytes([int(part) for part in parts])
            elif 1 <= len(group) <= 4:
                number = int(group, 16)
                data += bytes((number >> 8, number & 255))
            else:
                return None
    except (ValueError, OverflowError):
        return None
    return data


def text(data: bytes) -> str:
    """Return the canonical form of an address: IPv4 if it is one, else lower case and short."""
    if data[:12] == _MAPPED:
        return ".".join([str(byte) for byte in data[12:]])
    groups = [data[at] << 8 | data[at + 1] for at in range(0, 16, 2)]
    # The longest run of at least two zeros, the first one of several, becomes "::".
    start = length = 0
    for at in range(8):
        end = at
        while end < 8 and not groups[end]:
            end += 1
        if end - at > max(length, 1):
            start, length = at, end - at
    if not length:
        return ":".join(["%x" % group for group in groups])
    head = ":".join(["%x" % group for group in groups[:start]])
    return head + "::" + ":".join(["%x" % group for group in groups[start + length :]])
