"""Reports of how the board is doing, to those who want them: once, or every so many seconds."""

import json
from time import time

import health
from meter import Meter

_LONGEST = 3600


class Stats:
    """One timer and one report a second serve everybody, and none while nobody asks.

    limit: bytes that a report may have. started: time() at the start of the board: ticks_ms
    begins again after twelve days.
    """

    def __init__(self, server, limit: int, started: int):
        self._server = server
        self._limit = limit
        self._started = started
        self._wanted = {}  # client -> [seconds from one to the next or 0, seconds to the next]
        self._meter = self._timer = None

    def subscribe(self, client, value) -> None:
        """value: True: a report; seconds from 1 to 3600: again and again; 0 or False: no more.

        The first one comes within a second: until then is measured. ValueError: another value.
        """
        if value is True:
            self._wanted.setdefault(client, [0, 1])[1] = 1
        elif not value and isinstance(value, (int, float)):
            self.end(client)
            return
        elif isinstance(value, (int, float)) and 1 <= value <= _LONGEST:
            self._wanted[client] = [int(value), 1]
        else:
            text = "stats: must be true, seconds from 1 to %d, or 0 for no more"
            raise ValueError(text % _LONGEST)
        if not self._timer:
            self._meter = Meter(self._server)
            self._timer = self._server.every(1000, self._tick)

    def end(self, client) -> None:
        """No more for this client."""
        self._wanted.pop(client, None)
        if self._timer and not self._wanted:
            self._timer.cancel()
            self._meter.stop()
            self._meter = self._timer = None

    def _tick(self):
        try:
            measured = self._meter.measure()
            text = None
            for client, state in list(self._wanted.items()):
                state[1] -= 1
                if state[1] <= 0:
                    text = text or self._report(measured)
                    client.send(text)
                    state[1] = state[0]
                    if not state[0]:
                        self.end(client)
        except MemoryError:
            pass  # the next one may find some

    def _report(self, report):
        report["type"] = "stats"
        report["uptime"] = time() - self._started
        report["heap"] = health.heap()
        report["idf"] = health.idf()
        report["temperature"] = health.temperature()
        report["wifi"] = health.wifi()
        head = json.dumps(report)[:-1]
        if len(head) + 20 > self._limit:
            return '{"type": "error", "error": "stats: write_limit is too small for them"}'
        return listing(head, self._server.clients, _describe, self._limit)


def listing(head: str, clients: list, describe, limit: int) -> str:
    """The JSON that begins with `head`, and "clients": what describe(client) gives of each, as
    many as `limit` bytes have room for.
    """
    left = limit - len(head) - 20
    items = []
    for client in clients:
        item = describe(client)
        left -= len(item.encode()) + 2
        if left < 0:
            break
        items.append(item)
    return '%s, "clients": [%s]}' % (head, ", ".join(items))


def _describe(client):
    text = '{"id": %d, "name": %s, "path": %s, "queue": %d, "messages": %d, "bytes": %d}'
    name, path = json.dumps(client.context), json.dumps(client.path)
    counts = (client.buffered, client.messages, client.bytes)
    return text % ((client.id, name, path) + counts)
