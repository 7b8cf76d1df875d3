"""How a server begins to listen. Only needed when it does."""

import gc
import socket

from micropython import const

from .log import ERROR

_BACKLOG = const(8)  # connections that TCP takes before they are accepted


def listener(host: str, port: int, log):
    """A listening socket. OSError: the port is taken, or there is no socket left."""
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


def load_reception(server) -> tuple:
    """(Reception, Deadlines) of a server: half of the library, which a board may load late."""
    threshold = gc.threshold()
    if gc.mem_free() < 300000:  # see __init__.py
        gc.threshold(1024)
    try:
        from .deadlines import Deadlines
        from .reception import Reception
    finally:
        gc.threshold(threshold)
    reception = Reception(server)
    return reception, Deadlines(server, reception)
