"""Keep the latest lines that the program prints, for the live log of the settings page.

Loaded at startup, and stays, unless log.buffer is 0. `livelog` reads the ring. Text that a program
writes to sys.stdout itself is not kept: that is how the firmware prints a generated password.
"""

import builtins
import os
from time import time

from micropython import const

_LONGEST = const(1000)  # bytes of one call of print() that are kept; at most half of the ring
_SMALLEST = const(64)  # bytes of the ring

ring = bytearray(0)
total = 0  # bytes written since the start
first = 0  # where this ring begins
run = 0  # distinguishes this start from others

_print = builtins.print  # the built-in one, even if print() is replaced
_is_new_line = True


def start(size: int, state=None) -> None:
    """Allocate the ring, and replace print() by a function that also writes to it.

    state: (run, total) of an earlier ring since the same start.
    """
    global ring, run, total, first
    ring = bytearray(max(size, _SMALLEST))
    run, total = state or (os.urandom(1)[0], 0)
    first = total
    builtins.print = _print_and_keep


def stop() -> None:
    """Restore print(), and free the ring."""
    global ring
    builtins.print = _print
    ring = bytearray(0)


def _print_and_keep(*args, sep=" ", end="\n", file=None):
    if file is not None:
        _print(*args, sep=sep, end=end, file=file)
        return
    _print(*args, sep=sep, end=end)
    try:
        _keep(sep.join([str(arg) for arg in args]) + end)
    except MemoryError:  # the line is missing in the live log
        pass


def _keep(text):
    """Append a text to the ring. A record begins with 0x1E and the seconds of the clock."""
    global total, _is_new_line
    longest = min(_LONGEST, len(ring) // 2)
    data = text[: longest + 1].replace("\x1e", "?").encode()
    if len(data) > longest:
        while data[longest] & 0xC0 == 0x80:
            longest -= 1  # do not cut a character
        data = data[:longest] + b"...\n"
    if _is_new_line:
        data = b"\x1e%d %s" % (time(), data)
    _is_new_line = data[-1:] == b"\n"
    at = total % len(ring)
    first = len(ring) - at
    ring[at : at + len(data)] = data[:first]
    if len(data) > first:
        ring[: len(data) - first] = data[first:]
    total += len(data)
