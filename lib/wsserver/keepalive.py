"""Keepalive pings, and the timeouts of opening and closing handshakes.

Nothing in here allocates memory.
"""

from time import ticks_add, ticks_diff, ticks_ms

from wsserver.core.frames import const

_OPEN = const(0)  # states: see core.buffers
_FAILED = const(2)
_READING = const(0)  # see http.connection
_LINGERING = const(2)
_MAX_KEPT = const(5000)  # ms for which a connection waits for another request
_HANDLING = const(5)  # an async handler runs: see http.exchange
_PING = const(9)
_INTERNAL_ERROR = const(1011)
_LINGER = const(500)  # ms of silence after which a peer that should close is dropped
_MAX_LINGER = const(2000)  # ms after which it is dropped even if it sends
_BUSY_TIMEOUT = const(1000)  # ms to send a request when all slots are taken
_TLS_BUSY_TIMEOUT = const(3000)  # the same with TLS, whose handshake takes a chip over 1 s
_HELLO_TIMEOUT = const(3000)  # ms for the first byte of a TLS connection
_MAX_AGE = const(1 << 27)  # ms: older times are set to this age, because ticks wrap at 2 ** 30


def sweep(server) -> None:
    """Check all connections of a server: its method `_sweep`, called ten times a second."""
    now = ticks_ms()
    clients = server.clients
    if server.limits:
        try:
            server.limits.sweep(clients, server)
        except MemoryError:
            pass  # clients that were not reached are counted the next time
    for index in range(len(clients) - 1, -1, -1):
        client = clients[index]
        try:
            if client._worker:
                client._worker.sweep(now)
            _check(server, client, now)
        except MemoryError:  # not even a time can be stored: free the client's memory
            server._drop(client, "out of memory")
    acceptor = server._acceptor
    busy = acceptor.free_slots() < 1
    if not busy:
        acceptor.set_accepting(True)
    connections = acceptor.http_connections
    for index in range(len(connections) - 1, -1, -1):
        connection = connections[index]
        if _has_expired(server, connection, now, busy):
            server._drop(connection)
    if server._refusals:
        try:
            server._refusals.sweep(now)
        except MemoryError:
            pass


# Long: always loaded, and each part would take a name for as long.
def _check(server, client, now):
    """Ping a silent client, and close one that does not answer or does not end its closing."""
    if client._state != _OPEN:
        if client._closing_since is None:
            client._closing_since = now
        age = ticks_diff(now, client._closing_since)
        silence = min(age, ticks_diff(now, client._last_heard))
        if age >= server._close_timeout:
            server._drop(client, "closing handshake timed out")
        elif client._state == _FAILED and not client._out and silence >= _LINGER:
            server._drop(client)
        return
    if ticks_diff(now, client._last_heard) > _MAX_AGE:
        client._last_heard = ticks_add(now, -_MAX_AGE)
    if ticks_diff(now, client._last_used) > _MAX_AGE:
        client._last_used = ticks_add(now, -_MAX_AGE)
    interval = server._ping_interval
    if interval is None or ticks_diff(now, client._last_heard) < interval:
        if client._pong_due is not None:
            client._pong_due = None
    elif client._pong_due is None:
        client._send_control(_PING, b"")
        client._pong_due = ticks_add(now, server._ping_timeout or interval)
    elif ticks_diff(now, client._pong_due) >= 0:
        client._pong_due = None  # without ping_timeout the next ping follows
        if server._ping_timeout is not None:
            client._fail(_INTERNAL_ERROR, "no answer to ping")
            server._flush(client)
            server._drop(client)


def _has_expired(server, connection, now, busy):
    """Return whether an HTTP connection has used up its time.

    busy: whether others wait for its slot.
    """
    if connection._since is None:
        connection._since = now
    age = ticks_diff(now, connection._since)
    limit = server._open_timeout
    if connection._state == _LINGERING:
        return age >= _MAX_LINGER or ticks_diff(now, connection._last_heard) >= _LINGER
    if connection._state == _HANDLING:
        most = server._async_timeout
        if connection._task and most is not None and age >= (min(most, limit) if busy else most):
            connection._end_handler()
        return False
    if connection._state != _READING:
        # The time for each part of a response, which fills a send buffer.
        return age >= (limit >> 2 if busy else limit)
    if connection._kept and not connection._head:
        return busy or age >= _MAX_KEPT
    if connection._tls:
        busy = busy or connection._tls.is_full(server)
        if connection._last_heard == connection._since:
            limit = min(limit, _BUSY_TIMEOUT if busy else _HELLO_TIMEOUT)
        elif busy:
            limit = min(limit, _TLS_BUSY_TIMEOUT)
    elif busy:
        limit = min(limit, _BUSY_TIMEOUT)
    return age >= limit
