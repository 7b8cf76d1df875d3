"""Keepalive pings, and the timeouts of opening and closing handshakes."""

from time import ticks_add, ticks_diff, ticks_ms

from .core.buffers import FAILED, OPEN
from .core.frames import const
from .core.protocol import Client
from .http.connection import LINGERING, READING

_INTERNAL_ERROR = const(1011)
_LINGER = const(500)  # ms of silence after which a peer that should close is dropped
_BUSY_TIMEOUT = const(1000)  # ms to send a request when all slots are taken


class Keepalive:
    """Watches the times of all connections. Nothing in here allocates memory."""

    def __init__(self, server, acceptor):
        self._server = server
        self._acceptor = acceptor

    def sweep(self) -> None:
        """Check all connections. Called ten times a second."""
        now = ticks_ms()
        server = self._server
        clients = server.clients
        if server.limits:
            try:
                server.limits.sweep(clients, server._pool.log)
            except MemoryError:
                pass  # clients that were not reached are counted the next time
        for index in range(len(clients) - 1, -1, -1):
            client = clients[index]
            try:
                if client._state == OPEN:
                    self._check_open(client, now)
                else:
                    self._check_closing(client, now)
            except MemoryError:  # not even a time can be stored: free the client's memory
                server._drop(client, "out of memory")
        self._check_requests(now)

    def _check_open(self, client, now):
        server = self._server
        silence = ticks_diff(now, client._last_heard)
        if server._ping_interval is None or silence < server._ping_interval:
            if client._pong_due is not None:
                client._pong_due = None
        elif client._pong_due is None:
            Client.ping(client)
            client._pong_due = ticks_add(now, server._ping_timeout or server._ping_interval)
        elif ticks_diff(now, client._pong_due) >= 0:
            client._pong_due = None  # without ping_timeout the next ping follows
            if server._ping_timeout is not None:
                client._fail(_INTERNAL_ERROR, "no answer to ping")
                server._flush(client)
                server._drop(client)

    def _check_closing(self, client, now):
        if client._closing_since is None:
            client._closing_since = now
        age = ticks_diff(now, client._closing_since)
        silence = min(age, ticks_diff(now, client._last_heard))
        if age >= self._server._close_timeout:
            self._server._drop(client, "closing handshake timed out")
        elif client._state == FAILED and silence >= _LINGER and not client._out:
            self._server._drop(client)

    def _check_requests(self, now):
        acceptor = self._acceptor
        timeout = self._server._open_timeout
        reading_timeout = timeout
        if acceptor.free_slots() > 0:
            acceptor.set_accepting(True)
        else:  # connections without a complete request are dropped sooner
            reading_timeout = min(_BUSY_TIMEOUT, timeout)
        connections = acceptor.http_connections
        for index in range(len(connections) - 1, -1, -1):
            connection = connections[index]
            if connection._state == READING:
                expired = ticks_diff(now, connection._opened) >= reading_timeout
            else:
                limit = _LINGER if connection._state == LINGERING else timeout
                expired = ticks_diff(now, connection._last_heard) >= limit
            if expired:
                self._server._drop(connection)
