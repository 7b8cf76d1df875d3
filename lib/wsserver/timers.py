"""Timers and calls from outside: what a loop does when no socket is ready."""

from collections import deque
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

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
    """The timers and the queue of calls of one loop.

    `report` gets the exceptions they raise; timed(function, name, None, arguments) calls one.
    """

    def __init__(self, report, timed):
        self._report = report
        self._timed = timed
        self._timers = []
        self._calls = deque((), _MOST_CALLS, 1)
        self._due = ticks_add(ticks_ms(), _MOST_MS)  # when the next of them is to be called

    def add(self, ms: int, function, repeats: bool) -> Timer:
        """Start a timer. ValueError: `ms` out of range."""
        timer = Timer(ms, function, repeats)
        self._timers.append(timer)
        self._advance(timer)
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
        left = ticks_diff(self._due, ticks_ms())
        return most if left > most else left if left > 0 else 0

    def run(self) -> None:
        """Make the calls that are due. What they add waits for the next turn."""
        if self._calls:
            for _ in range(len(self._calls)):
                function, argument = self._calls.popleft()
                self._call(function, argument)
        now = ticks_ms()
        if ticks_diff(self._due, now) <= 0:
            self._run_timers(now)

    def _run_timers(self, now):
        timers = self._timers
        for index in range(len(timers)):
            timer = timers[index]
            if timer.function and ticks_diff(now, timer.due) >= 0:
                self._call_timer(timer, now)
        self._due = ticks_add(now, _MOST_MS)
        for index in range(len(timers) - 1, -1, -1):
            if timers[index].function:
                self._advance(timers[index])
            else:
                timers.pop(index)

    def _advance(self, timer):
        """See to it that the timer is not overslept."""
        if ticks_diff(timer.due, self._due) < 0:
            self._due = timer.due

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
            self._timed(function, function, None, arguments)
        except Exception as error:
            self._report(error)
