"""Open a connection to the broker: clock, name, TCP, TLS. Loaded while that takes place."""

import errno
import socket
from time import ticks_diff, ticks_ms

from micropython import const

from wsserver import WARNING

from . import addresses, clock, resolver

_IPPROTO_TCP = const(6)  # older releases lack these names
_TCP_NODELAY = const(1)
_SLOW = const(200)  # ms
_MAX_CA = const(4096)  # bytes of a file


def connect(server, options: dict, attempt: int):
    """Yield until a socket connects to the broker; return (stream, TCP socket).

    The TCP handshake and the one of TLS continue while the stream is written. Raises OSError, or
    ValueError for settings that cannot be used.
    """
    host, port = addresses.choose(options, attempt)
    context = None
    if options["tls"]:
        if options["ca"]:
            yield from clock.check(options["ntp"])
        context = _context(options["ca"])
    start = ticks_ms()
    blocking, address = yield from resolver.resolve(host)
    took = ticks_diff(ticks_ms(), start)
    if blocking and took > _SLOW:
        server.log(WARNING, "fleet: resolving %s blocked the server for %d ms" % (host, took))
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        try:
            raw.connect(socket.getaddrinfo(address, port)[0][-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        raw.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        if context:
            arguments = {"server_hostname": host, "do_handshake_on_connect": False}
            return context.wrap_socket(raw, **arguments), raw
        return raw, raw
    except (OSError, ValueError, MemoryError):
        raw.close()
        raise


def _context(path):
    """Return the SSLContext that verifies the broker with the authority in a file; "": any."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    if path:
        try:
            with open(path, "rb") as file:
                data = file.read(_MAX_CA)
            context.load_verify_locations(data)
        except (OSError, ValueError):
            raise ValueError("fleet.ca: %s is missing or no certificate" % path) from None
        context.verify_mode = tls.CERT_REQUIRED
    return context
