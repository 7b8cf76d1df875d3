"""The chip's select module, on the host's poll."""

import socket as _socket

from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT
from uselect import poll as _poll


def poll():
    """A Poll with space for as many descriptors as there may be sockets.

    When the Unix port's has to move its table of descriptors, it breaks its record of the objects
    that have none, such as TLS streams, and the interpreter dies. The chip's keeps no such table.
    """
    poller = _poll()
    for fd in range(_socket._most):
        poller.register(fd, 0)
    for fd in range(_socket._most):
        poller.unregister(fd)
    return poller


def select(rlist, wlist, xlist, timeout=None):
    """As CPython's: three lists of what is ready; `timeout` in seconds."""
    poller = poll()
    for objects, event in ((rlist, POLLIN), (wlist, POLLOUT), (xlist, POLLERR | POLLHUP)):
        for obj in objects:
            poller.register(obj, event)
    ready = {
        id(obj): event
        for obj, event in poller.poll(-1 if timeout is None else int(timeout * 1000))
    }
    return (
        [obj for obj in rlist if ready.get(id(obj), 0) & ~POLLOUT],
        [obj for obj in wlist if ready.get(id(obj), 0) & ~POLLIN],
        [obj for obj in xlist if ready.get(id(obj), 0) & (POLLERR | POLLHUP)],
    )
