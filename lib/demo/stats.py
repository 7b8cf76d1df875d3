"""Report the state of the board: load, memory, temperature, Wi-Fi and clients."""

import json
from time import ticks_diff, ticks_ms, time

from micropython import const

from .chat import listing
from .sensors import heap, idf_heap, meter, temperature, wifi

_LONGEST = const(3600)  # seconds between two reports
_CLOCK = const(2**30 - 1)  # the board's clock in reports, in ms, wraps after this


class Stats:
    """Send reports to subscribed clients. One timer serves all of them.

    limit: maximum bytes of a report. started: time() at startup; ticks_ms wraps after twelve days.
    """

    def __init__(self, server, limit: int, started: int):
        self._server = server
        self._limit = limit
        self._started = started
        self._subscribers = {}  # client -> Subscription
        self._meter: Anything = None
        self._now: Anything = None  # what it returned last
        self._timer = None

    def subscribe(self, client, value) -> None:
        """Send one report (True), a report every `value` seconds, or none (0 or False).

        The first report comes after the first second of measurement.
        Raises ValueError for other values.
        """
        is_number = isinstance(value, (int, float))
        if value not in (False, True) and not (is_number and 1 <= value <= _LONGEST):
            text = "stats: must be true, seconds from 1 to %d, or 0 to stop"
            raise ValueError(text % _LONGEST)
        if not value:
            self.unsubscribe(client)
            return
        if not self._timer:
            self._meter = meter(self._server)
            self._now = self._meter.update()
            self._timer = self._server.every(1000, self._tick)
        subscription = self._subscribers.get(client)
        if not subscription:
            self._subscribers[client] = subscription = Subscription(self._now)
        subscription.due = 1
        if value is not True:
            subscription.interval = int(value)

    def unsubscribe(self, client) -> None:
        """Send no more reports to this client."""
        self._subscribers.pop(client, None)
        if self._timer and not self._subscribers:
            self._timer.cancel()
            self._meter.stop()
            self._meter = self._timer = None

    def ignore(self, size: int) -> None:
        """Exclude a message of `size` bytes, which was just received, from the rates."""
        if self._meter:
            self._meter.messages -= 1
            self._meter.bytes -= size + (6 if size < 126 else 8)  # the header of its frame

    def _tick(self):
        try:
            self._now = self._meter.update()
            values = None
            for client, subscription in list(self._subscribers.items()):
                subscription.due -= 1
                if subscription.due > 0:
                    continue
                values = values or self._values()
                client.send(self._report(subscription, values))
                subscription.due = subscription.interval
                if not subscription.interval:
                    self.unsubscribe(client)
        except MemoryError:
            pass  # skip this report

    def _values(self):
        """Return the JSON of the values that are the same in all reports, without its braces."""
        values = {
            "time": ticks_ms() & _CLOCK,
            "uptime": time() - self._started,
            "heap": heap(),
            "idf": idf_heap(),
            "temperature": temperature(),
            "wifi": wifi(),
        }
        return json.dumps(values)[1:-1]

    def _report(self, subscription, values):
        head = '{"type": "stats", %s, %s' % (subscription.rates(self._now), values)
        if len(head) + 20 > self._limit:
            return '{"type": "error", "error": "stats: write_limit is too small for a report"}'
        return listing(head, self._server.clients, _describe, self._limit)


class Subscription:
    """A client's interval, and what the meter returned at its last report.

    interval: seconds between reports; 0: only one. due: seconds until the next report.
    """

    def __init__(self, now: tuple):
        self.interval = 0
        self.due = 1
        self._last = now

    def rates(self, now: tuple) -> str:
        """Return JSON fields with the averages since the last call."""
        last = self._last
        self._last = now
        elapsed = ticks_diff(now[0], last[0]) or 1
        busy = 1 - (now[1] - last[1]) / elapsed
        return '"cpu": %.3f, "messages_per_second": %.1f, "bytes_per_second": %d' % (
            min(max(busy, 0), 1),
            max(now[2] - last[2], 0) * 1000 / elapsed,
            max(now[3] - last[3], 0) * 1000 // elapsed,
        )


def _describe(client):
    text = '{"id": %d, "name": %s, "path": %s, "queue": %d, "messages": %d, "bytes": %d}'
    name, path = json.dumps(client.context), json.dumps(client.path)
    counts = (client.buffered, client.messages, client.bytes)
    return text % ((client.id, name, path) + counts)
