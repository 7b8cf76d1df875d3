"""Grow the GC heap once, by a chosen size, so that TLS keeps its memory.

A chip without PSRAM has two heaps. When a request cannot be met, MicroPython doubles its GC heap,
but takes no more than the largest free block of the IDF heap. `grow` makes that block small while
the GC heap grows.
Loaded at startup only.
"""

import gc
import time

from micropython import const

from .lazy import free_heap, has_large_heap

_LEAST = const(16000)  # bytes; a little more than an ESP32's other free blocks
_MARGIN = const(1024)  # bytes that a thread takes beside its stack, and more
_BLOCK = const(6000)  # bytes of the requests that fill the heap
_MAX_BLOCKS = const(14)  # more than a heap of 64,000 bytes has
_RELEASE = const(200)  # ms for the idle task to free the stack
_CONTEXT = const(3000)  # bytes of the IDF heap that an SSLContext takes, and a session
_SESSION = const(23800)
_ELSEWHERE = const(6300)  # bytes of a session that need not be in its largest block


def grow(reserved: int):
    """Grow the GC heap by the largest block of the IDF heap, except for the reserved bytes.

    A waiting thread occupies these: its stack is allocated there in one piece of the given size
    (ports/esp32/mpthreadport.c). The GC heap does not grow on boards with PSRAM, on other ports,
    and if there is enough memory to double it.
    Return the number of TLS sessions for which there is memory, or None for no limit.
    """
    size = _largest()
    if not size:
        return None
    size -= reserved
    if _LEAST <= size < gc.mem_alloc() + free_heap():
        blocks = []
        lock = None
        try:
            lock = _occupy(reserved - _MARGIN)
            while _largest() >= size and len(blocks) < _MAX_BLOCKS:
                blocks.append(bytearray(_BLOCK))
        except (ImportError, OSError, MemoryError):  # no thread, or a heap that does not grow
            pass
        blocks = None
        if lock:
            _free(lock, reserved - _MARGIN)
    return max(1, (_largest() - _CONTEXT) // _SESSION)


def count() -> int:
    """Return how many TLS sessions fit into the IDF heap now."""
    return (_largest() + _ELSEWHERE) // _SESSION


def lower(server, tls) -> None:
    """Lower the server's TLS connections to what fits after its start.

    tls: the section of the settings.
    """
    if not _largest():
        return
    fits = count()
    acceptors = list(server._acceptor.tls.values())
    spare = acceptors[0]._spare
    if spare and spare.is_open:
        fits += 1
    if fits >= tls["max_clients"]:
        return
    most = max(1, fits)  # the application may free memory later
    text = "the application leaves memory for %d TLS connection%s: tls.max_clients is %d"
    print((text + " (docs/tls.md)") % (fits, "" if fits == 1 else "s", most))
    for acceptor in acceptors:
        acceptor._max_tls = most
        acceptor._max_clients = max(1, most - tls["reserved"])


def _largest():
    """Return the largest free block of the IDF heap, or 0 if the GC heap never grows into it."""
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:
        return 0
    if has_large_heap():
        return 0
    return max([region[2] for region in idf_heap_info(HEAP_DATA)])


def _occupy(size):
    """Start a thread with a stack of this size, which waits for the lock that this returns."""
    import _thread

    lock = _thread.allocate_lock()
    lock.acquire()
    before = _thread.stack_size(size)
    try:
        _thread.start_new_thread(lock.acquire, ())
    finally:
        _thread.stack_size(before)
    return lock


def _free(lock, size):
    lock.release()
    for _ in range(_RELEASE):
        if _largest() >= size:
            break
        time.sleep_ms(1)
