"""The stored samples of a chart: a ring of floats. Loaded with the first such chart."""

from array import array
from time import ticks_add, ticks_diff, ticks_ms

_GAP = float("nan")


class History:
    """The last `size` samples, one every `every` seconds; NaN where a sample is missing."""

    def __init__(self, size: int, every: float):
        self.every = int(every * 1000)
        self._values = array("f", [_GAP] * size)
        self._next = 0
        self._last: Anything = None  # ticks_ms of the latest sample

    def add(self, value) -> None:
        """Add a sample if it is due, and gaps for those that are missing. None is a gap."""
        now = ticks_ms()
        if self._last is None:
            self._last = ticks_add(now, -self.every)
        missed = ticks_diff(now, self._last) // self.every
        if missed < 0 or missed > len(self._values):  # ticks_ms wraps after days without a page
            missed = len(self._values)
        for _ in range(missed - 1):
            self._store(_GAP)
        if missed:
            self._store(value if isinstance(value, (int, float)) else _GAP)
            self._last = now

    def _store(self, value):
        self._values[self._next] = value
        self._next = (self._next + 1) % len(self._values)

    def json(self, id: int) -> str:
        """Return the message for the page: {"type": "history", ...}, oldest sample first."""
        age = 0 if self._last is None else ticks_diff(ticks_ms(), self._last)
        head = '{"type": "history", "id": %d, "every": %d, "age": %d, "values": ['
        text = bytearray((head % (id, self.every, age)).encode())
        size = len(self._values)
        for index in range(size):
            value = self._values[(self._next + index) % size]
            # Infinity is no JSON either.
            is_number = value - value == 0
            text.extend(b"%.5g" % value if is_number else b"null")
            text.extend(b"," if index < size - 1 else b"]}")
        return str(text, "utf-8")
