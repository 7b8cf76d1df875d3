"""Handle an error that ends main.py or boot.py: write /crash.log and restart the board."""

import gc
import io
import sys
import time

import machine
from micropython import const

from . import bootcount, crashlog

_SERIAL = const(200)  # ms for the serial port to send what was printed
_MIN_HEAP = const(32000)  # bytes that the firmware needs, compiled, with the default settings
_ADVICE = """\
Out of memory: deploy lib/ compiled, lower server.max_size and server.max_clients, or load less
code of your own (docs/safety.md).
"""


def restart(error: Exception, count: bool = True) -> None:
    """Log the traceback, count a failed start and restart the board.

    With count=False, as in safe mode, only log it.
    """
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        text = text.getvalue()
    except MemoryError:
        text = repr(error)
    print(text)
    if isinstance(error, MemoryError):
        print(_ADVICE)
    try:
        crashlog.note(text)
        if count:
            bootcount.failed()
    except (OSError, MemoryError) as problem:  # must not prevent the restart
        print("crash: %r" % problem)
    if count:
        time.sleep_ms(_SERIAL)
        machine.reset()


def out_of_memory() -> None:
    """Report that the heap is too small for the firmware, as boot.py has found."""
    needed = _MIN_HEAP << (sys.maxsize >> 62)  # objects of 64-bit machines are twice as large
    print(
        "out of memory: %d bytes are free, and the firmware needs about %d,\n"
        "so main.py does nothing now. A virtual board gets more with HEAP=128k, a real one\n"
        "if it loads less of other code (docs/safety.md)." % (gc.mem_free(), needed)
    )
