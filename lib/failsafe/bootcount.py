"""Count the starts that failed in a row: the file /failed-N is the counter.

There is no file while N is 0, so a good start writes nothing to the flash.
"""

import errno
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
        number = error.errno
        # 28 is ENOSPC, which MicroPython does not name.
        text = "no space" if number == 28 else errno.errorcode.get(number, number)
        print("bootcount: the failed start cannot be counted (%s): remove files" % text)


def failed() -> None:
    """Count one more failed start."""
    set_failures(failures() + 1)


def repeats(text: str) -> bool:
    """Return whether the failed start before had the same text, and note the text of this one."""
    path = "/failed-%d" % failures()
    mark = str(hash(text))
    try:
        with open(path) as file:
            if file.read() == mark:
                return True
        with open(path, "w") as file:
            file.write(mark)
    except OSError:  # the flash is full: the text is printed once more
        pass
    return False
