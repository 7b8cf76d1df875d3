"""Grow the GC heap once, by a chosen size, so that TLS keeps its memory.

A chip without PSRAM has two heaps. When a request cannot be met, MicroPython doubles its GC heap,
but takes no more than the largest free block of the IDF heap. `grow` makes that block small while
the GC heap grows. Loaded at startup only.
"""

import gc
import time

from micropython import const

from .lazy import free_heap, has_large_heap

_LEAST = const(16000)  # bytes; a little more than an ESP32's other free blocks
_MARGIN = const(1024)  # bytes that a thread takes beside its stack, and more
_PIECE = const(6000)  # bytes of the requests that fill the heap
_MAX_PIECES = const(14)  # more than a heap of 64,000 bytes has
_RELEASE = const(200)  # ms for the idle task to free the stack
_CONTEXT = const(3000)  # bytes of the IDF heap that an SSLContext takes, and a session
_SESSION = const(23800)


def grow(keep: int):
    """Grow the GC heap by the largest block of the IDF heap, except for `keep` bytes of it.

    A waiting thread occupies these: its stack is allocated there in one piece of the given size
    (ports/esp32/mpthreadport.c). The GC heap does not grow on boards with PSRAM, on other ports,
    and if there is enough memory to double it.
    Return the number of TLS sessions for which there is memory, or None for no limit.
    """
    try:
        import _thread

        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:
        return None
    if has_large_heap():
        return None

    def largest():
        return max([region[2] for region in idf_heap_info(HEAP_DATA)])

    size = largest() - keep
    if _LEAST <= size < gc.mem_alloc() + free_heap():
        lock = _thread.allocate_lock()
        lock.acquire()
        before = _thread.stack_size(keep - _MARGIN)
        try:
            _thread.start_new_thread(lock.acquire, ())
            _fill(lambda: largest() < size)
            lock.release()
        except (OSError, MemoryError):  # the thread was not created
            pass
        _thread.stack_size(before)
        for _ in range(_RELEASE):
            if largest() >= keep - _MARGIN:
                break
            time.sleep_ms(1)
    return max(1, (largest() - _CONTEXT) // _SESSION)


def _fill(has_grown):
    """Allocate memory until has_grown()."""
    pieces = []
    try:
        while not has_grown() and len(pieces) < _MAX_PIECES:
            pieces.append(bytearray(_PIECE))
    except MemoryError:  # a heap that does not grow
        pass
