"""Append entries to /crash.log, which becomes /crash.old when it is full."""

import gc
import os
import time

from micropython import const

_MAX_SIZE = const(4096)  # bytes of /crash.log, unless its only entry has more
_MAX_ENTRY = const(1500)  # characters of one entry; its end is kept


def note(text: str, path: str = "/crash.log") -> None:
    """Append an entry with the time and the heap in use.

    Raises OSError if the flash is full or worn out.
    """
    # The clock starts at 2000-01-01 after power-on if nothing sets it.
    now = "%d-%02d-%02d %02d:%02d:%02d" % time.localtime()[:6]
    entry = "--- %s, %d bytes of heap in use\n%s\n"
    entry = entry % (now, gc.mem_alloc(), text.strip()[-_MAX_ENTRY:])
    try:
        size = os.stat(path)[6]
    except OSError:  # no log yet
        size = 0
    if size and size + len(entry.encode()) > _MAX_SIZE:
        _rotate(path, path[: path.rfind(".")] + ".old")
    with open(path, "a") as file:
        file.write(entry)


def _rotate(path, old):
    try:
        os.remove(old)
    except OSError:  # there is none
        pass
    os.rename(path, old)
