"""The chip's select module, on the host's poll."""

from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT, poll


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
