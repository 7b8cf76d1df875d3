"""Code that runs once for each server or listener. Loaded while it runs."""

import socket

from .core.frames import const
from .log import ERROR

_DAY = const(86400)  # seconds
_BACKLOG = const(8)  # connections that TCP keeps until they are accepted


def open_listener(host: str, port: int, log):
    """Return a listening socket.

    Raises OSError if the port is in use, or if there is no free socket.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(socket.getaddrinfo(host, port)[0][-1])
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        log(ERROR, "cannot listen on port %d: %s" % (port, error))
        raise
    return sock


def check_options(sizes: tuple, times: tuple, purge) -> tuple:
    """Check the options of a Server. Return its times in ms.

    Raises ValueError, which names the option, if one is out of range.
    """
    limits = (
        ("max_clients", 1),
        ("max_size", 1),
        ("max_head", 64),
        ("max_tls", 1),
        ("read_size", 64),
        ("write_limit", 512),  # the head of an HTTP response must fit
    )
    for (name, least), value in zip(limits, sizes):
        if value < least:
            raise ValueError("%s must be at least %d, not %r" % (name, least, value))
    if purge not in (None, "lru"):
        raise ValueError("purge must be None or 'lru', not %r" % (purge,))
    ping_interval, ping_timeout, close_timeout, open_timeout = times
    return (
        _milliseconds("ping_interval", ping_interval),
        _milliseconds("ping_timeout", ping_timeout),
        _milliseconds("close_timeout", close_timeout or _DAY),
        _milliseconds("open_timeout", open_timeout or _DAY),
    )


def _milliseconds(name, seconds):
    """Return a timeout in ms; None stays None."""
    if seconds is not None:
        if not 0 < seconds <= _DAY:
            raise ValueError("%s must be over 0 and at most 86400 s, not %r" % (name, seconds))
        return max(1, int(seconds * 1000))
