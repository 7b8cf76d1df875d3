"""Handle an error that ends main.py or boot.py: write /crash.log and restart the board."""

import io
import sys
import time

import machine
from micropython import const

from . import bootcount

_SERIAL = const(200)  # ms for the serial port to send what was printed
_ADVICE = """\
Out of memory: deploy lib/ compiled, lower server.max_size and server.max_clients, or load less
code of your own (docs/safety.md).
"""

detail = ""  # a line below the traceback, for an error of the application


def restart(error: Exception, count: bool = True) -> None:
    """Log the traceback, count a failed start and restart the board.

    With count=False, as in safe mode, only log it. For starts that fail in the same way, the
    traceback is printed once.
    """
    if count:
        bootcount.failed()  # first: it needs the least memory, and stops a restart loop
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        text = text.getvalue()
    except MemoryError:
        text = repr(error)
    try:
        last = count and bootcount.repeats(text) and text[text.rstrip().rfind("\n") + 1 :]
        if detail:
            text = text.rstrip() + "\n" + detail
    except MemoryError:
        last = ""
    if last:
        print("start %d failed in the same way: %s" % (bootcount.failures(), last.rstrip()))
    else:
        print(text)
        if isinstance(error, MemoryError):
            print(_ADVICE)
    try:
        from . import crashlog

        crashlog.note(text)
    except (OSError, MemoryError) as problem:  # must not prevent the restart
        print("crash: %r" % problem)
    if count:
        time.sleep_ms(_SERIAL)
        machine.reset()
