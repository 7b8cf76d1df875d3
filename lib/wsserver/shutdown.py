"""Close all connections of a server. Loaded while it stops."""

from time import ticks_add, ticks_diff, ticks_ms

from wsserver.core.frames import const
from wsserver.core.protocol import Client

from .lazy import load

_GOING_AWAY = const(1001)
_TICK = const(20)  # ms
_SHUTDOWN = const(1000)  # ms that the clients have for the closing handshake


def _shut_down(server) -> None:
    """Close everything, cancel all coroutines, and return when that is done."""
    if server._asyncio:
        server._asyncio.close()
    try:
        server._stepping = True
        begin(server)
        end = ticks_add(ticks_ms(), handshake_time(server))
        while server.clients and ticks_diff(end, ticks_ms()) > 0:
            server._loop(_TICK, True)
    finally:
        drop_all(server)
        server._stepping = False
    if server._tasks:
        load(".coroutines").end(server)


def handshake_time(server) -> int:
    """Return the time in ms that the clients have for the closing handshake."""
    return min(server._close_timeout, _SHUTDOWN)


def begin(server) -> None:
    """Close everything but the clients, which get a Close frame."""
    server._start_timers()
    acceptor = server._acceptor
    acceptor.set_accepting(False)
    for secure in acceptor.tls.values():
        if secure._spare:
            secure._spare.end()
    acceptor.tls.clear()
    while acceptor.listeners:
        sock = acceptor.listeners.pop()
        server._poll.unregister(sock)
        sock.close()
    for sock, _ in list(server._readers.values()):
        server.remove_reader(sock)
        sock.close()
    while acceptor.http_connections:
        server._drop(acceptor.http_connections[-1])
    for client in server.clients:
        Client.close(client, _GOING_AWAY, "the server stops")


def drop_all(server) -> None:
    """Close the connections of all clients."""
    while server.clients:
        server._drop(server.clients[-1], "the server stopped")
