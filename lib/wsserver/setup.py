"""Check options and open listeners. Loaded while one of these runs.

The checks of options are here, and those of paths in http.routes, so that they take no memory
later.
"""

import socket

from wsserver.core.frames import const

from .lazy import call, load
from .log import ERROR, describe

_DAY = const(86400)  # seconds
_BACKLOG = const(8)  # connections that TCP keeps until they are accepted
_MAX_PORT = const(65535)
_IN = const(1)  # select.POLLIN


def listen(server, port: int, host: str, tls, acceptor) -> None:
    """Have a server listen on one more port; tls is an SSLContext and `acceptor` its TLSAcceptor,
    or None.

    host: "::" is all addresses of IPv6 and IPv4.

    Raises OSError if the port is in use, if there is no free socket, or if MicroPython does not
    report IPv6 addresses, and TypeError or ValueError if an argument is wrong.
    """
    check_int("port", port, 1, _MAX_PORT)
    if not isinstance(host, str):
        raise TypeError("host must be a str, not %r" % (host,))
    if tls and not hasattr(tls, "wrap_socket"):
        raise TypeError("tls must be an SSLContext or None, not %r" % (tls,))
    sock = None
    is_ipv6 = ":" in host
    try:
        if is_ipv6:
            load(".ipv6").check(port)
        family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # getaddrinfo() of the ESP32 port knows addresses of IPv4 only.
        sock.bind((host, port) if is_ipv6 else socket.getaddrinfo(host, port)[0][-1])
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        if sock:
            sock.close()
        server._log(ERROR, "cannot listen on port %d: %s" % (port, describe(error)))
        raise
    server._acceptor.listeners.append(sock)
    if acceptor:
        server._acceptor.tls[id(sock)] = acceptor
    server._poll.register(sock, _IN)
    server._acceptor._accepting = True


def check_args(
    server, max_size, max_head, max_tls, tls_reserved, read_size, write_limit, purge
) -> None:
    """Check the options of a new Server; those that can be set later are its attributes.

    Raises TypeError or ValueError, which names the option.
    """
    for name, value, least in (
        ("max_size", max_size, 1),
        ("max_head", max_head, 64),
        ("max_tls", max_tls, 1),
        ("tls_reserved", tls_reserved, 0),
        ("read_size", read_size, 64),
        ("write_limit", write_limit, 512),  # the head of an HTTP response must fit
    ):
        if value is not None or name not in ("read_size", "write_limit"):
            check_int(name, value, least)
    if purge not in (None, "lru"):
        raise ValueError("purge must be None or 'lru', not %r" % (purge,))
    check(server)


def check_run(server) -> None:
    """Check what run() needs. Raises ValueError without listen(), or what check() raises.

    A server that is to stop at once need not listen.
    """
    if not server._acceptor.listeners and not server._stopping:
        raise ValueError("run() needs listen(port) first: the server listens on no port")
    check(server)


def check(server) -> None:
    """Check the attributes of a Server that may be set, and convert its times to ms.

    Raises TypeError or ValueError, which names the attribute.
    """
    check_int("max_clients", server.max_clients, 1)
    kinds = {
        "log": "a function(level, text)",
        "hosts": "a list of str or None",
        "portal": "a URL or None",
        "limits": "a Limits or None",
    }
    for name, value, valid in (
        ("log", server.log, callable(server.log)),
        ("hosts", server.hosts, _is_list(server.hosts)),
        ("origins", server.origins, _is_list(server.origins)),
        ("proxies", server.proxies, _is_list(server.proxies)),
        ("portal", server.portal, isinstance(server.portal, str)),
        ("limits", server.limits, hasattr(type(server.limits), "admits")),
    ):
        optional = name in ("hosts", "portal", "limits")
        if not valid and (value is not None or not optional):
            kind = kinds.get(name, "a list of str")
            raise TypeError("%s must be %s, not %r" % (name, kind, value))
    server._ping_interval = _milliseconds("ping_interval", server.ping_interval)
    server._ping_timeout = _milliseconds("ping_timeout", server.ping_timeout)
    server._open_timeout = _milliseconds("open_timeout", server.open_timeout)
    server._close_timeout = _milliseconds("close_timeout", server.close_timeout)
    server._async_timeout = _milliseconds("async_timeout", server.async_timeout)


def _is_list(value):
    """Return whether a value is a list of str."""
    is_list = isinstance(value, (list, tuple, set))
    return is_list and all(isinstance(item, str) for item in value)


def _check_idle(server, name: str) -> None:
    """Raise RuntimeError if run() or step(), which `name` says, may not be called now."""
    if server._stepping:
        text = "%s() was called by a callback of the server, or by setup(): remove the call"
        raise RuntimeError(text % name)
    if server._asyncio.is_current():
        raise RuntimeError("%s() was called while asyncio serves the server" % name)


def refuse(function) -> None:
    """Raise the TypeError for a function that cannot be called."""
    raise TypeError(call(".errorhints", "not_callable", "function", function))


def check_int(name: str, value: int, least: int, most=None) -> None:
    """Check an int. Raises TypeError or ValueError."""
    if not isinstance(value, int):
        raise TypeError("%s must be an int, not %r" % (name, value))
    if value < least or most and value > most:
        if most is None:
            raise ValueError("%s must be at least %d, not %d" % (name, least, value))
        raise ValueError("%s must be %d to %d, not %d" % (name, least, most, value))


def _milliseconds(name, value):
    """Return a timeout in ms. None stays None, but handshakes must have a timeout."""
    if value is None:
        return None if name[:4] in ("ping", "asyn") else _DAY * 1000
    if not isinstance(value, (int, float)):
        raise TypeError("%s must be a number of seconds or None, not %r" % (name, value))
    if not 0 < value <= _DAY:
        raise ValueError("%s must be over 0 and at most %d s, not %r" % (name, _DAY, value))
    return max(1, int(value * 1000))
