"""What becomes of an error that ends main.py or boot.py: /crash.log, and a restart."""

import gc
import io
import os
import sys
import time

import machine
from micropython import const

_MOST = const(4096)  # bytes of /crash.log; there is one older file, /crash.old
_LONGEST = const(1500)  # of one entry, its end
_SERIAL = const(200)  # ms for the serial port to send what was printed
_ADVICE = """\
Not enough memory: deploy lib/ compiled, lower server.max_size and server.max_clients, or load less
of your own (docs/safety.md).
"""


def restart(error: Exception, count: bool = True) -> None:
    """Write the traceback down and restart the board. count: it is a start that failed.

    Where it is not, as in safe mode, there is no restart either.
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
        note(text)
        if count:
            import recovery

            recovery.failed()
    except (OSError, MemoryError) as problem:  # neither keeps the board from starting again
        print("crash: %r" % problem)
    if count:
        time.sleep_ms(_SERIAL)
        machine.reset()


def note(text: str, path: str = "/crash.log") -> None:
    """Append to the log. OSError: the flash is full, or worn out."""
    # The clock starts with 2000-01-01 when the power comes, if nothing sets it.
    now = "%d-%02d-%02d %02d:%02d:%02d" % time.localtime()[:6]
    entry = "--- %s, %d bytes free\n%s\n" % (now, gc.mem_free(), text.strip()[-_LONGEST:])
    try:
        size = os.stat(path)[6]
    except OSError:  # there is none yet
        size = 0
    if size + len(entry.encode()) > _MOST:
        _rotate(path, path[: path.rfind(".")] + ".old")
    with open(path, "a") as file:
        file.write(entry)


def _rotate(path, old):
    try:
        os.remove(old)
    except OSError:  # there is none
        pass
    os.rename(path, old)
