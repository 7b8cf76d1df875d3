"""The chip's hardware watchdog, which restarts a board that hangs.

It cannot be stopped once started, not even by a soft reset. The ESP32's timeout can be changed.
"""

import machine
from micropython import const

_DAY = const(86400000)  # ms


def arm(ms: int):
    """Start the watchdog or change its timeout. Return the function that feeds it.

    MicroPython before 1.21 needs at least 1000 ms.
    """
    return machine.WDT(timeout=ms).feed


def rest() -> None:
    """Extend the timeout to a day, so that the REPL is not reset."""
    try:
        arm(_DAY)
    except (ValueError, OSError):  # a release that keeps the first timeout
        pass
