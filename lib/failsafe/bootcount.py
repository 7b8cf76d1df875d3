"""Count the starts that failed in a row: the file /failed-N is the counter.

There is no file while N is 0, so a good start writes nothing to the flash.
"""

import os

from micropython import const

MAX_FAILURES = const(3)  # failed starts in a row until safe mode


def failures() -> int:
    """Return the number of starts that have failed in a row."""
    for name in os.listdir("/"):
        if name.startswith("failed-"):
            return int(name[7:])
    return 0


def set_failures(count: int) -> None:
    """Store the number of failed starts. A full flash is reported on the serial port only."""
    now = failures()
    try:
        if not now and count:
            open("/failed-%d" % count, "w").close()
        elif now and not count:
            os.remove("/failed-%d" % now)
        elif now != count:
            os.rename("/failed-%d" % now, "/failed-%d" % count)
    except OSError as error:
        print("bootcount: %r" % error)


def failed() -> None:
    """Count one more failed start."""
    set_failures(failures() + 1)
