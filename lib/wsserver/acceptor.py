"""Listening sockets: accept connections while slots are free."""

import errno
from time import ticks_ms

from .core.frames import const
from .http.connection import HTTPConnection, HTTPError
from .lazy import call, load, unload
from .log import WARNING, describe

# HTTP connections at the same time. With 5 clients and 2 listeners they use the chip's 10 sockets.
_HTTP_SLOTS = const(3)
_PROBE = const(512)
_IPPROTO_TCP = const(6)  # older releases lack these names
_TCP_NODELAY = const(1)
_IN = const(1)  # select.POLLIN


class Acceptor:
    """Accept connections, and hold them until they become WebSocket clients or are closed.

    `http_connections` are those that have not become clients. `listeners` are the sockets.
    """

    def __init__(self, server, poll, connections: dict):
        self._server = server
        self._poll = poll
        self._connections = connections  # all of the server's: socket -> connection
        self.listeners = []
        self._tls = {}  # id(listener) -> its TLSAcceptor
        self._accepting = False
        self._peer = None  # a function that normalizes a client's address, if one listens on IPv6
        self.http_connections = []
        self.streams = 0  # those of http_connections that count as clients: see http.events
        self.reserved = 0  # slots whose sockets are in use by Server.add_reader

    def listen(self, host: str, port: int, tls, acceptor) -> None:
        """Listen on one more port; tls is an SSLContext and `acceptor` its TLSAcceptor, or None.

        Raises what setup.open_listener raises.
        """
        sock = call("wsserver.setup", "open_listener", host, port, tls, self._server._log)
        if ":" in host:
            self._peer = load("wsserver.ipv6").peer
        self.listeners.append(sock)
        if acceptor:
            self._tls[id(sock)] = acceptor
        self._poll.register(sock, _IN)
        self._accepting = True

    def close(self) -> None:
        """Stop listening."""
        self._accepting = False
        self._tls.clear()
        while self.listeners:
            sock = self.listeners.pop()
            self._poll.unregister(sock)
            sock.close()

    def set_accepting(self, accepting: bool) -> None:
        """Accept new connections, or leave them in TCP's backlog."""
        if accepting != self._accepting:
            self._accepting = accepting
            for sock in self.listeners:
                self._poll.modify(sock, _IN if accepting else 0)

    def free_slots(self) -> int:
        """Return how many more connections can be accepted now.

        A client that is closing still has its socket when another one has taken its place.
        """
        server = self._server
        closing = max(0, len(server.clients) - server.max_clients)
        slots = max(1, _HTTP_SLOTS - self.reserved) + self.streams
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

    def _accept_from(self, listener):
        server = self._server
        try:
            # If register() in _open() runs out of memory, poll crashes the next time. There is
            # enough memory for it if this succeeds.
            bytearray(_PROBE)
            sock, address = listener.accept()
            if self._peer:
                address = self._peer(address)
        except MemoryError:
            self.set_accepting(False)  # until the next sweep
            return
        except OSError as error:
            if error.errno != errno.EAGAIN:
                server._log(WARNING, "cannot accept a connection: " + describe(error))
                self.set_accepting(False)
            return
        tls = self._tls.get(id(listener))
        try:
            if server.limits and address[0] not in server.proxies:
                server.limits.check_connection(address[0], self._connections.values(), tls)
            self._open(sock, address, tls)
        except HTTPError as error:
            sock.close()
            server._log_refusal(address[0], error.detail)
        except (OSError, MemoryError) as error:  # the peer has gone, or memory ran out
            sock.close()
            try:
                text = "cannot accept a connection: " + describe(error)
            except MemoryError:
                return  # no memory even for a log line; other connections go on
            server._log_refusal(address[0], text)
        except Exception:
            sock.close()
            raise

    def _open(self, raw, address, tls_acceptor):
        """Make an accepted socket an HTTP connection.

        Raises OSError or MemoryError; then only the socket remains.
        """
        sock = raw
        raw.setblocking(False)
        raw.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        if tls_acceptor:
            sock = tls_acceptor.wrap(raw, self._connections.values())
        try:
            connection = HTTPConnection(self._server, sock, address, ticks_ms())
            connection._events = _IN
            if tls_acceptor:
                connection._use_tls(raw)
                connection._tls = tls_acceptor
                connection._counted = address[0] not in self._server.proxies
            self._connections[sock] = connection
            self.http_connections.append(connection)
            self._poll.register(sock, _IN)
        except (OSError, MemoryError):
            self._connections.pop(sock, None)
            if self.http_connections and self.http_connections[-1]._sock is sock:
                self.http_connections.pop()
            raise

    def release(self, connection) -> None:
        """Free the slot of a connection that is closed, or has become a client."""
        self.http_connections.remove(connection)
        self.set_accepting(True)
        if not self.http_connections and not self._server._filler:  # a small heap
            try:
                unload("wsserver.http.static", "wsserver.http.responses")
            except MemoryError:
                pass  # the next connection that leaves has them unloaded
