"""The chip's watchdog, which restarts a board that hangs. Loaded where it is on.

Once started it cannot be stopped, not even by a soft reset; but the ESP32's can be given another
time. `recovery` needs this: it is never replaced over Wi-Fi.
"""

import machine
from micropython import const

_DAY = const(86400000)  # ms


def arm(ms: int):
    """Start it, or give it another time; returns the function that feeds it.

    The board is restarted when that is not called for `ms`, at least 1000 on older releases.
    """
    return machine.WDT(timeout=ms).feed


def rest() -> None:
    """Let nobody have to feed it for a day: for the prompt."""
    try:
        arm(_DAY)
    except (ValueError, OSError):  # a release that keeps to its first time
        pass
