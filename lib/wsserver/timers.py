"""Timers and calls from outside: what a loop does when no socket is ready."""

from collections import deque
from time import ticks_add, ticks_diff, ticks_ms

from .frames import const

_MOST_CALLS = const(16)
_MOST_MS = const(0x1FFFFFFF)  # half of what ticks_ms counts to on a 32-bit chip: 6.2 days


class Timer:
    """A call to come. `cancel` it, or let it run."""

    def __init__(self, ms: int, function, repeats: bool):
        if not 0 < ms <= _MOST_MS:
            raise ValueError("a timer takes 1 to %d ms, not %r" % (_MOST_MS, ms))
        self.ms = ms
        self.function = function
        self.repeats = repeats
        self.due = ticks_add(ticks_ms(), ms)

    def cancel(self) -> None:
        """Never call it again. May be called at any time, also from the timer's own function."""
        self.function = None


class Timers:
    """The timers and the queue of calls of one loop. `report` gets the exceptions they raise."""

    def __init__(self, report):
        self._report = report
        self._timers = []
        self._calls = deque((), _MOST_CALLS, 1)

    def add(self, ms: int, function, repeats: bool) -> Timer:
        """Start a timer. ValueError: `ms` out of range."""
        timer = Timer(ms, function, repeats)
        self._timers.append(timer)
        return timer

    def call_soon(self, function, argument) -> bool:
        """Queue function(argument) from a thread or an interrupt handler. False when 16 calls wait
        already.
        """
        try:
            self._calls.append((function, argument))
            return True
        except IndexError:
            return False

    def wait(self, most: int) -> int:
        """How many ms, at most `most`, the loop may sleep before something is due."""
        if self._calls:
            return 0
        now = ticks_ms()
        for timer in self._timers:
            most = min(most, max(0, ticks_diff(timer.due, now)))
        return most

    def run(self, now: int) -> None:
        """Make the calls that are due. What they add waits for the next turn."""
        for _ in range(len(self._calls)):
            function, argument = self._calls.popleft()
            self._call(function, argument)
        timers = self._timers
        for index in range(len(timers)):
            timer = timers[index]
            if timer.function and ticks_diff(now, timer.due) >= 0:
                self._call_timer(timer, now)
        for index in range(len(timers) - 1, -1, -1):
            if not timers[index].function:
                timers.pop(index)

    def _call_timer(self, timer, now):
        function = timer.function
        if timer.repeats:
            # From when it was due, so that the interval does not drift; but what was missed is not
            # made up for.
            timer.due = ticks_add(timer.due, timer.ms)
            if ticks_diff(now, timer.due) >= 0:
                timer.due = ticks_add(now, timer.ms)
        else:
            timer.function = None
        self._call(function)

    def _call(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:
            self._report(error)
