"""Keepalive pings, and the timeouts of opening and closing handshakes."""

from time import ticks_add, ticks_diff, ticks_ms

from .core.buffers import FAILED, OPEN
from .core.frames import const
from .core.protocol import Client
from .http.connection import LINGERING, READING

_INTERNAL_ERROR = const(1011)
_LINGER = const(500)  # ms of silence after which a peer that should close is dropped
_MAX_LINGER = const(2000)  # ms after which it is dropped even if it sends
_BUSY_TIMEOUT = const(1000)  # ms to send a request when all slots are taken
_TLS_BUSY_TIMEOUT = const(3000)  # the same with TLS, whose handshake takes a chip over 1 s
_HELLO_TIMEOUT = const(3000)  # ms for the first byte of a TLS connection
_MAX_AGE = const(1 << 27)  # ms: older times are set to this age, because ticks wrap at 2 ** 30


class Keepalive:
    """Check the timeouts of all connections, without allocating memory."""

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
                server.limits.sweep(clients, server)
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
        if server._refusals:
            try:
                server._refusals.sweep(now)
            except MemoryError:
                pass

    def _check_open(self, client, now):
        server = self._server
        if ticks_diff(now, client._last_heard) > _MAX_AGE:
            client._last_heard = ticks_add(now, -_MAX_AGE)
        if ticks_diff(now, client._last_used) > _MAX_AGE:
            client._last_used = ticks_add(now, -_MAX_AGE)
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
        busy = acceptor.free_slots() < 1
        if not busy:
            acceptor.set_accepting(True)
        connections = acceptor.http_connections
        for index in range(len(connections) - 1, -1, -1):
            connection = connections[index]
            if self._has_expired(connection, now, busy):
                self._server._drop(connection)

    def _has_expired(self, connection, now, busy):
        """Return whether an HTTP connection has used up its time.

        busy: whether others wait for its slot.
        """
        if connection._since is None:
            connection._since = now
        age = ticks_diff(now, connection._since)
        limit = self._server._open_timeout
        if connection._state == LINGERING:
            return age >= _MAX_LINGER or ticks_diff(now, connection._last_heard) >= _LINGER
        if connection._state != READING:
            # The time for each part of a response, which fills a send buffer.
            return age >= (limit >> 2 if busy else limit)
        if connection._secure:
            busy = busy or connection._tls.is_full(self._server._connections.values())
            if connection._last_heard == connection._since:
                limit = min(limit, _BUSY_TIMEOUT if busy else _HELLO_TIMEOUT)
            elif busy:
                limit = min(limit, _TLS_BUSY_TIMEOUT)
        elif busy:
            limit = min(limit, _BUSY_TIMEOUT)
        return age >= limit
