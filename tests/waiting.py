"""Wait for something that has no event of its own."""

from __future__ import annotations

import time


def wait_until(condition, what, seconds=10, ignored=()):
    """Return the first true value of condition(), which may raise the `ignored` exceptions.

    Raises AssertionError, with `what`, if there is none for so long.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except ignored:
            pass
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
