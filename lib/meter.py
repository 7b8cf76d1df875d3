"""How busy the loop is, and how much arrives. Costs nothing while nobody measures."""

from time import ticks_diff, ticks_us

_BYTES = 2**30 - 1  # a client's count of bytes begins again after this


class Meter:
    """Measures from now on until stop()."""

    def __init__(self, server):
        self._server = server
        server.on_wait(self._add)
        self._waited = 0  # us that the loop has slept since the last measure()
        self._since = ticks_us()
        self._seen = {one.id: (one.messages, one.bytes) for one in server.clients}

    def stop(self) -> None:
        """Leave the loop as it was."""
        self._server.on_wait(None)

    def _add(self, waited):
        self._waited += waited

    def measure(self) -> dict:
        """Since the last call: "cpu", the share of time (0 to 1) in which the loop did not wait,
        and "messages_per_second" and "bytes_per_second" received from all clients.
        """
        now = ticks_us()
        elapsed = ticks_diff(now, self._since) or 1
        busy = 1 - self._waited / elapsed
        self._since = now
        self._waited = 0
        messages = count = 0
        seen = {}
        for one in self._server.clients:
            before = self._seen.get(one.id, (0, 0))
            messages += one.messages - before[0]
            count += one.bytes - before[1] & _BYTES
            seen[one.id] = (one.messages, one.bytes)
        self._seen = seen
        return {
            "cpu": round(min(max(busy, 0), 1), 3),
            "messages_per_second": round(messages * 1000000 / elapsed, 1),
            "bytes_per_second": round(count * 1000000 / elapsed),
        }
