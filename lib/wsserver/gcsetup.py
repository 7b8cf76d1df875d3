"""Keep memory for TLS while an application is set up, and afterwards.

`hold` and `release` keep the memory of all sessions but one meanwhile. Then the spare session
keeps that of one. Loaded at startup, for an application with TLS only.
"""

from micropython import const

from .gcgrowth import _free, _largest, _occupy, grow
from .lazy import free_heap, load

_MARGIN = const(1024)  # see gcgrowth
_SESSION = const(23800)
_SERVING = const(6000)  # bytes of the GC heap that serving takes later
_LATER = const(14500)  # of both heaps, beside the spare session: for code that is loaded later
_OBJECTS = const(1024)  # bytes of the GC heap that a session takes, and more
_ELSEWHERE = const(6300)  # bytes of a session that need not be in its largest block


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


def release(kept, server, tls) -> None:
    """End what hold() has begun, and lower the server's TLS connections to what fits.

    From now on, a spare session keeps the memory of one of them. tls: the section of the settings.
    """
    acceptors = list(server._acceptor.tls.values())
    spare = None
    try:
        spare = load(".tlsspare").Spare(server, acceptors[0]._context)
        bytearray(_OBJECTS)  # the GC heap grows now if it must
    except MemoryError:  # the application may free memory later
        pass
    _free(*kept)
    if free_heap() < _SERVING and _largest() >= 3 * _SESSION:
        grow(2 * _SESSION + _MARGIN)
    fits = (_largest() + _ELSEWHERE) // _SESSION
    if fits < tls["max_clients"]:
        most = max(1, fits)
        text = "the application leaves memory for %d TLS connection%s: tls.max_clients is %d"
        print((text + " (docs/tls.md)") % (fits, "" if fits == 1 else "s", most))
        for acceptor in acceptors:
            acceptor._max_tls = most
            acceptor._max_clients = max(1, most - tls["reserved"])
    if not fits:
        return
    left = free_heap() + max(0, _largest() - _SESSION)
    if spare and left >= _LATER:
        spare.begin(acceptors)
    else:
        text = "the application leaves %d KB of memory: https may end when it needs more"
        print((text + " (docs/tls.md)") % (left >> 10))
