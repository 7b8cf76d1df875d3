"""Measure the load of the server's loop, and its traffic."""

from time import ticks_ms

from micropython import const

_BYTES = const(2**30 - 1)  # a client's byte counter wraps after this
_PANEL = const("/panel")  # whose pages send messages all the time


class Meter:
    """Measure until stop(). `demo.sensors.meter` makes it.

    waited: ms that the loop has waited. messages, bytes: received from all clients but the pages.
    """

    users = waited = messages = bytes = 0
    _waited = 0  # us since the last update
    _seen: dict = {}  # client -> (its messages, its bytes) at the last update

    def __init__(self, server):
        self._server = server
        server.on_wait(self._add)

    def stop(self) -> None:
        """Stop measuring, unless there is another user."""
        self.users -= 1
        if not self.users:
            self._server.on_wait(None)
            self._server.meter = None

    def _add(self, us):
        self._waited += us

    def update(self) -> tuple:
        """Add what happened since the last update. Return (now, waited, messages, bytes)."""
        self.waited += self._waited // 1000
        self._waited %= 1000
        seen = {}
        for client in self._server.clients:
            if client.path != _PANEL:
                now = seen[client] = (client.messages, client.bytes)
                last = self._seen.get(client, (0, 0))
                self.messages += now[0] - last[0]
                self.bytes += now[1] - last[1] & _BYTES
        self._seen = seen
        return ticks_ms(), self.waited, self.messages, self.bytes
