"""Who has been silent for too long, and whose goodbye takes too long. Loaded with `reception`."""

from time import ticks_add, ticks_diff, ticks_ms

from .frames import const
from .outbox import FAILED, OPEN

_INTERNAL_ERROR = const(1011)
_LINGER = const(500)  # ms of silence after which a peer that was told to go is left


class Deadlines:
    """Those of a server's clients, and of the visitors in its reception."""

    def __init__(self, server, reception):
        self.server = server
        self.reception = reception

    def sweep(self) -> None:
        """Look at all of them: to be called ten times a second."""
        now = ticks_ms()
        server = self.server
        clients = server.clients
        if server.limits:
            try:
                server.limits.sweep(clients, server.log)
            except MemoryError:
                pass  # whom it has not come to is counted the next time
        for index in range(len(clients) - 1, -1, -1):
            client = clients[index]
            try:
                if client.state == OPEN:
                    self._keep_alive(client, now)
                else:
                    self._see_off(client, now)
            except MemoryError:  # to note a time: who holds memory would stay for ever
                server.drop(client, "no memory")
        for visitor in self.reception.sweep(now):
            self.server.drop(visitor)

    def _keep_alive(self, client, now):
        server = self.server
        silence = ticks_diff(now, client.heard)
        if server.ping_interval is None or silence < server.ping_interval:
            if client.deadline is not None:
                client.deadline = None
        elif client.deadline is None:
            client.ping()
            client.deadline = ticks_add(now, server.ping_timeout or server.ping_interval)
        elif ticks_diff(now, client.deadline) >= 0:
            client.deadline = None  # without ping_timeout: the next ping
            if server.ping_timeout is not None:
                client.fail(_INTERNAL_ERROR, "no answer to ping")
                server.flush(client)
                server.drop(client)

    def _see_off(self, client, now):
        if client.closing_since is None:
            client.closing_since = now
        age = ticks_diff(now, client.closing_since)
        silence = min(age, ticks_diff(now, client.heard))
        if age >= self.server.close_timeout:
            self.server.drop(client, "closing handshake timed out")
        elif client.state == FAILED and silence >= _LINGER and not client.out:
            self.server.drop(client)
