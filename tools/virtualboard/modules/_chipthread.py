"""The chip's _thread module: the stack of a thread comes from the IDF heap.

MicroPython creates a FreeRTOS task, whose stack ESP-IDF allocates in one piece with its exact size
(ports/esp32/mpthreadport.c). The idle task frees it when the thread has ended. The launcher puts
this module in the place of the built-in one, which no file can be found instead of.
"""

import _thread as _host
from _thread import allocate_lock, exit, get_ident

import esp32 as _esp32

_LEAST = 4096  # bytes of a stack
_DEFAULT = 5120
_TASK = 400  # bytes of the task's control block, an estimate

_size = 0


def stack_size(size=0):
    global _size
    before, _size = _size, size
    return before


def start_new_thread(function, args, kwargs={}):  # noqa: B006 - it is not changed
    size = max(_size or _DEFAULT, _LEAST) + _TASK
    if not _esp32._take(size):
        raise OSError("can't create thread")
    try:
        return _host.start_new_thread(_run, (size, function, args, kwargs))
    except Exception:
        _esp32._take(-size)
        raise


def _run(size, function, args, kwargs):
    try:
        function(*args, **kwargs)
    finally:
        _esp32._take(-size)
