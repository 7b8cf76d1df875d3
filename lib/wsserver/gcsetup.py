"""Keep memory for TLS while an application is set up, and afterwards.

`hold` and `release` keep the memory of all sessions but one meanwhile. Then the spare session
keeps that of one. Loaded at startup, for an application with TLS only.
"""

from micropython import const

from .gcgrowth import _free, _largest, _occupy, count, grow
from .lazy import free_heap, load

_MARGIN = const(1024)  # these two: see gcgrowth
_SESSION = const(23800)
_SERVING = const(6000)  # bytes of the GC heap that serving takes later
_LATER = const(14500)  # of both heaps, beside the spare session: for code that is loaded later


def hold():
    """Occupy the memory of all TLS sessions that fit but one, or of one. A TLS context exists.

    Return what release() takes, or None.
    """
    largest = _largest()
    size = max(1, largest // _SESSION - 1) * _SESSION
    try:
        return (_occupy(size), size) if largest else None
    except (ImportError, OSError, MemoryError):  # no thread, or there is not that much
        return None


def release(kept, server) -> None:
    """End what hold() has begun. From now on, a spare session keeps the memory of one."""
    acceptors = list(server._acceptor.tls.values())
    spare = None
    try:
        spare = load(".tlsspare").Spare(server, acceptors[0]._context)
        spare.make_space()
    except MemoryError:  # the application may free memory later
        pass
    _free(*kept)
    if free_heap() < _SERVING and _largest() >= 3 * _SESSION:
        grow(2 * _SESSION + _MARGIN)
    if not count():  # gcgrowth.lower() logs it
        return
    left = free_heap() + max(0, _largest() - _SESSION)
    if spare and left >= _LATER:
        spare.begin(acceptors)
    else:
        text = "the application leaves %d KB of memory: https may end when it needs more"
        print((text + " (docs/tls.md)") % (left >> 10))
