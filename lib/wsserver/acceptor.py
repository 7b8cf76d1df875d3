"""Listening sockets: accept connections while slots are free."""

import errno
from time import ticks_ms

from wsserver.core.frames import const
from wsserver.http.connection import HTTPConnection, HTTPError

from .lazy import unload
from .log import WARNING, describe

# HTTP connections at the same time. With 5 clients and 2 listeners they use the chip's 10 sockets.
_HTTP_SLOTS = const(3)
_PROBE = const(512)
_IPPROTO_TCP = const(6)  # older releases lack these names
_TCP_NODELAY = const(1)
_IN = const(1)  # select.POLLIN


class Acceptor:
    """Accept connections, and hold them until they become WebSocket clients or are closed.

    `http_connections` are those that have not become clients. `listeners` are the sockets, which
    setup.listen() adds and shutdown.begin() closes. tls: {id(listener): its TLSAcceptor}. peer: a
    function that normalizes a client's address, if one listens on IPv6.
    """

    peer: "Anything" = None
    streams = 0  # those of http_connections that count as clients: see http.events
    _accepting = False

    def __init__(self, server):
        self._server = server
        self.listeners = []
        self.tls = {}
        self.http_connections = []

    def set_accepting(self, value: bool) -> None:
        """Accept new connections, or leave them in TCP's backlog."""
        if value != self._accepting:
            self._accepting = value
            for sock in self.listeners:
                self._server._poll.modify(sock, _IN if value else 0)

    def free_slots(self) -> int:
        """Return how many more connections can be accepted now.

        A client that is closing still has its socket when another one has taken its place.
        """
        server = self._server
        closing = max(0, len(server.clients) - server.max_clients)
        slots = max(1, _HTTP_SLOTS - len(server._readers)) + self.streams
        return slots - len(self.http_connections) - closing

    def accept(self) -> None:
        """Accept one connection from each listener, while there are slots."""
        if not self._accepting:
            return
        try:
            listeners = self.listeners
            for _ in range(len(listeners)):
                if self.free_slots() < 1:
                    break
                # In turn, so that many connections at one listener do not starve the others.
                listener = listeners.pop(0)
                listeners.append(listener)
                self._accept_from(listener)
            if self.free_slots() < 1:
                self.set_accepting(False)
        except MemoryError:
            raise
        except Exception as error:  # an attribute of the server is wrong
            self._server._report(error)
            self.set_accepting(False)  # until a sweep succeeds

    def _accept_from(self, sock):
        server = self._server
        try:
            # If register() in _open() runs out of memory, poll crashes the next time. There is
            # enough memory for it if this succeeds.
            bytearray(_PROBE)
            raw, address = sock.accept()
            if self.peer:
                address = self.peer(address)
        except MemoryError:
            self.set_accepting(False)  # until the next sweep
            return
        except OSError as error:
            if error.errno != errno.EAGAIN:
                server._log(WARNING, "cannot accept a connection: " + describe(error))
                self.set_accepting(False)
            return
        tls = self.tls.get(id(sock))
        try:
            if server.limits and address[0] not in server.proxies:
                server.limits.check_connection(address[0], server._connections.values(), tls)
            self._open(raw, address, tls)
        except Exception as error:
            raw.close()
            # Refused by the limits, or the peer has gone, or memory ran out.
            if not isinstance(error, (HTTPError, OSError, MemoryError)):
                raise
            server._log_refusal(address[0], error)

    def _open(self, raw, address, acceptor):
        """Make an accepted socket an HTTP connection.

        Raises OSError or MemoryError; then only the socket remains.
        """
        server = self._server
        sock = raw
        raw.setblocking(False)
        raw.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        if acceptor:
            sock = acceptor.wrap(raw, server)
        try:
            connection = HTTPConnection(server, sock, address, ticks_ms())
            connection._events = _IN
            if acceptor:
                connection._use_tls(raw, acceptor)
                connection._counted = address[0] not in server.proxies
            server._connections[sock] = connection
            self.http_connections.append(connection)
            server._poll.register(sock, _IN)
        except (OSError, MemoryError):
            server._connections.pop(sock, None)
            if self.http_connections and self.http_connections[-1]._sock is sock:
                self.http_connections.pop()
            sock.close()  # frees the memory of TLS
            raise

    def release(self, connection) -> None:
        """Free the slot of a connection that is closed, or has become a client."""
        self.http_connections.remove(connection)
        self.set_accepting(True)
        if not self.http_connections and not self._server._filler:  # a small heap
            try:
                unload(".http.static", ".http.responses")
            except MemoryError:
                pass  # the next connection that leaves has them unloaded
