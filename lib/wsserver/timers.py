"""Timers, and calls from other threads or interrupt handlers."""

from collections import deque
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .lazy import call

_MAX_CALLS = const(16)
_MAX_MS = const(0xFFFFFFF)  # a quarter of the period of ticks_ms on a 32-bit chip: 3.1 days


def check_callable(function) -> None:
    """Raise TypeError if a function cannot be called."""
    if not callable(function):
        call(".setup", "refuse", function)


class Timer:
    """A scheduled call. `cancel` ends it."""

    def __init__(self, ms: int, function, repeats: bool):
        if not isinstance(ms, int) or not 0 < ms <= _MAX_MS:
            call(".setup", "check_int", "ms", ms, 1, _MAX_MS)
        check_callable(function)
        self.ms = ms
        self.function = function
        self.repeats = repeats
        self.due = ticks_add(ticks_ms(), ms)

    def cancel(self) -> None:
        """Cancel the timer. Allowed at any time, also inside the timer's own function."""
        self.function = None


class Timers:
    """The timers and the queued calls of a server, which gets the exceptions that they raise."""

    def __init__(self, server):
        self._server = server
        self._timers = []
        self._calls = deque((), _MAX_CALLS, 1)
        self._due = ticks_add(ticks_ms(), _MAX_MS)  # of the earliest timer

    def add(self, ms: int, function, repeats: bool) -> Timer:
        """Start a timer.

        Raises ValueError if `ms` is out of range, and TypeError if an argument has a wrong type.
        """
        timer = Timer(ms, function, repeats)
        self._timers.append(timer)
        if ticks_diff(timer.due, self._due) < 0:
            self._due = timer.due  # the loop wakes up for it
        return timer

    def call_soon(self, function, args: tuple) -> bool:
        """Queue function(*args); return False if the queue is full.

        Raises TypeError if the function cannot be called.
        """
        check_callable(function)
        try:
            self._calls.append((function, args))
            return True
        except IndexError:
            return False

    def wait(self, most: int) -> int:
        """Return how many ms the loop may sleep, at most `most`."""
        if self._calls:
            return 0
        left = ticks_diff(self._due, ticks_ms())
        return most if left > most else left if left > 0 else 0

    def run(self) -> None:
        """Make all calls that are due. Calls that they add wait for the next turn of the loop."""
        for _ in range(len(self._calls)):
            function, args = self._calls.popleft()
            self._try(function, args)
        now = ticks_ms()
        if ticks_diff(self._due, now) > 0:
            return
        timers = self._timers
        for index in range(len(timers)):
            timer = timers[index]
            function = timer.function
            if not function or ticks_diff(now, timer.due) < 0:
                continue
            if timer.repeats:
                # Count from the due time, so that the interval does not drift. Skip missed calls.
                timer.due = ticks_add(timer.due, timer.ms)
                if ticks_diff(now, timer.due) >= 0:
                    timer.due = ticks_add(now, timer.ms)
            else:
                timer.function = None
            self._try(function, ())
        self._due = ticks_add(now, _MAX_MS)
        for index in range(len(timers) - 1, -1, -1):
            timer = timers[index]
            if not timer.function:
                timers.pop(index)
            elif ticks_diff(timer.due, self._due) < 0:
                self._due = timer.due

    def _try(self, function, args):
        try:
            self._server._call(function, function, None, args)
        except Exception as error:
            self._server._report(error, function)
