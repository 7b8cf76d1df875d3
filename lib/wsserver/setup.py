"""Code that runs once for each server, listener, path or folder. Loaded while it runs.

The checks of what a program registers are here, so that they take no memory later.
"""

import os
import socket

from .core.frames import const
from .log import ERROR, describe

_READ_SIZE = const(4128)  # four messages of 1 KiB, or one of 4, with their headers
_DAY = const(86400)  # seconds
_BACKLOG = const(8)  # connections that TCP keeps until they are accepted
_MAX_PORT = const(65535)
_FOLDER = const(0x4000)  # in the mode of os.stat


def open_listener(host: str, port: int, tls, log):
    """Return a listening socket; tls is the SSLContext that it will be used with, or None.

    Raises OSError if the port is in use, or if there is no free socket, and TypeError or
    ValueError if an argument is wrong.
    """
    _check_int("port", port, 1, _MAX_PORT)
    if not isinstance(host, str):
        raise TypeError("host must be a str, not %r" % (host,))
    if tls and not hasattr(tls, "wrap_socket"):
        raise TypeError("tls must be an SSLContext or None, not %r" % (tls,))
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(socket.getaddrinfo(host, port)[0][-1])
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        log(ERROR, "cannot listen on port %d: %s" % (port, describe(error)))
        raise
    return sock


def folder(folders: list, prefix: str, directory: str, https) -> tuple:
    """Return what Server.files() adds to `folders`: (prefix, directory, HTTPS port).

    Raises TypeError or ValueError if an argument is wrong.
    """
    check_path("prefix", prefix)
    if not isinstance(directory, str):
        raise TypeError("directory must be a str, not %r" % (directory,))
    if https is not None:
        _check_int("https", https, 1, _MAX_PORT)
    prefix = prefix.rstrip("/") + "/"
    if any(other[0] == prefix for other in folders):
        raise ValueError("prefix %r has been registered already" % prefix)
    try:
        exists = os.stat(directory or "/")[0] & _FOLDER
    except OSError:
        exists = False
    if not exists:
        raise ValueError("directory must exist: there is no %r" % directory)
    return prefix, directory.rstrip("/"), https


def check_secret(name: str, value: str) -> None:
    """Check a secret, a user name or a password; `name` is that of the argument.

    Raises TypeError or ValueError. A secret that is a str does not appear in the text.
    """
    if not isinstance(value, str):
        raise TypeError("%s must be a str, not %r" % (name, value))
    if not value and name != "user":
        raise ValueError("%s must not be empty: every request would be accepted" % name)
    if name == "user" and ":" in value:
        raise ValueError("user must not contain a colon: %r" % value)  # RFC 7617, section 2


def check_rates(**rates) -> None:
    """Check rate limits, which are numbers or None.

    Raises TypeError or ValueError, which names the argument.
    """
    for name, value in rates.items():
        if value is None:
            continue
        if not isinstance(value, (int, float)):
            raise TypeError("%s must be a number or None, not %r" % (name, value))
        if value <= 0:
            raise ValueError("%s must be over 0, not %r" % (name, value))


def check_path(name: str, path: str) -> None:
    """Check the path of a URL, without a query; `name` is that of the argument.

    Raises TypeError or ValueError.
    """
    if not isinstance(path, str):
        raise TypeError("%s must be a str, not %r" % (name, path))
    if path[:1] != "/":
        raise ValueError("%s must begin with '/', unlike %r" % (name, path))
    for character in "?#<> ":
        if character in path:
            raise ValueError("%s must not contain %r: %r" % (name, character, path))


def check_sizes(max_size, max_head, max_tls, read_size, write_limit, purge) -> tuple:
    """Check the options of a Server that cannot be changed later.

    Return (read_size, write_limit), with defaults for None. Raises TypeError or ValueError, which
    names the option.
    """
    if read_size is None:
        read_size = _READ_SIZE
    _check_int("max_size", max_size, 1)
    _check_int("read_size", read_size, 64)
    if write_limit is None:
        write_limit = max(read_size, max_size + 160)
    for name, value, least in (
        ("max_head", max_head, 64),
        ("max_tls", max_tls, 1),
        ("write_limit", write_limit, 512),  # the head of an HTTP response must fit
    ):
        _check_int(name, value, least)
    if purge not in (None, "lru"):
        raise ValueError("purge must be None or 'lru', not %r" % (purge,))
    return read_size, write_limit


def check_attributes(server) -> tuple:
    """Check the attributes of a Server that may be set. Return its times in ms.

    Raises TypeError or ValueError, which names the attribute.
    """
    _check_int("max_clients", server.max_clients, 1)
    if not callable(server.log):
        raise TypeError("log must be a function(level, text), not %r" % (server.log,))
    hosts, portal, limits = server.hosts, server.portal, server.limits
    if hosts is not None and not isinstance(hosts, (list, tuple, set)):
        raise TypeError("hosts must be a list of str or None, not %r" % (hosts,))
    if portal is not None and not isinstance(portal, str):
        raise TypeError("portal must be a URL or None, not %r" % (portal,))
    if limits is not None and (not hasattr(limits, "admits") or isinstance(limits, type)):
        raise TypeError("limits must be a Limits or None, not %r" % (limits,))
    return tuple(
        [
            _milliseconds(name, getattr(server, name))
            for name in ("ping_interval", "ping_timeout", "open_timeout", "close_timeout")
        ]
    )


def _check_int(name, value, least, most=None):
    if not isinstance(value, int):
        raise TypeError("%s must be an int, not %r" % (name, value))
    if value < least or most and value > most:
        limits = "at least %d" % least if most is None else "%d to %d" % (least, most)
        raise ValueError("%s must be %s, not %d" % (name, limits, value))


def _milliseconds(name, seconds):
    """Return a timeout in ms. None stays None, but opening and closing cannot last for ever."""
    if seconds is None:
        return None if name[:4] == "ping" else _DAY * 1000
    if not isinstance(seconds, (int, float)):
        raise TypeError("%s must be a number of seconds or None, not %r" % (name, seconds))
    if not 0 < seconds <= _DAY:
        raise ValueError("%s must be over 0 and at most %d s, not %r" % (name, _DAY, seconds))
    return max(1, int(seconds * 1000))
