"""An HTTP connection: read one request, route it, and answer it."""

import gc

from ..core.buffers import SendBuffer
from ..core.frames import const
from ..core.protocol import Client
from ..lazy import load
from ..log import WARNING, describe
from .handshake import accept_response, check_upgrade, choose_subprotocol
from .request import HTTPError, check_host, parse_request

READING = const(0)  # the request head
RESPONDING = const(1)
# The response is sent. The peer should close first: if unread data were left, TCP would send a RST
# instead of a FIN, and the peer could lose the response (RFC 9112, section 9.6).
LINGERING = const(2)

_END = const(b"\r\n\r\n")


class HTTPConnection(SendBuffer):
    """One request and its response; or, if it is accepted, an upgrade to a Client."""

    # The loop needs these; only a Protocol changes them.
    _pongs = 0
    _tail = b""

    def __init__(self, server, sock, address: tuple, now: int):
        super().__init__(server._pool)
        self._server = server
        self._sock = sock
        self._address = address
        self._events = 0
        self._state = READING
        self._opened = self._last_heard = self._last_used = now  # ms
        self._head = b""
        self._file = None

    # --- read

    def _receive(self, buf, pos: int, end: int) -> None:
        """Collect the request head from buf[pos:end], and answer it when it is complete."""
        if self._state != READING:
            return
        limit = self._server._max_head
        # Data behind a head may be long, and is not copied.
        head = self._head + bytes(buf[pos : min(end, pos + limit + len(_END))])
        length = head.find(_END)
        if length > limit or length < 0 and len(head) >= limit + len(_END):
            self._refuse(HTTPError(431, "at most %d bytes" % limit))
        elif length < 0:
            self._head = head
        else:
            pos += length + len(_END) - len(self._head)
            self._head = b""
            try:
                self._respond(parse_request(head[:length]), buf, pos, end)
            except HTTPError as error:
                self._refuse(error)
            except MemoryError:
                raise
            except Exception as error:  # of the application, for example an attribute
                if self._sock is None:  # it is a client already
                    raise
                self._server._report(error)
                self._refuse(HTTPError(500, "internal error"))

    # --- route

    def _respond(self, request, buf, pos, end):
        """Answer a request; buf[pos:end] is what follows its head.

        Raises HTTPError if it is refused.
        """
        server = self._server
        ip = self._address[0]
        if server.hosts:
            check_host(request, server.hosts, server.portal)
        if server.limits:
            server.limits.check_handshake(ip)
        route = server.routes.get(request.path)
        if isinstance(route, tuple):
            route = load("wsserver.ondemand").resolve(server, request.path)
        if route is None:
            self._answer(*self._open_file(request))
            return
        if route.access:
            route.access.check(request, ip)
        check_upgrade(request, route.origins)
        if self._secure and not server._has_tls_slot():
            raise HTTPError(503, "all TLS slots for WebSocket are in use", "Retry-After: 5")
        if not server._has_place():
            raise HTTPError(503, "try again later", "Retry-After: 5")
        self._upgrade(request, route, buf, pos, end)

    def _open_file(self, request):
        """Return what static.open_file returns for a request."""
        self._path = request.path
        for prefix, directory, https_port in self._server._folders:
            if request.path.startswith(prefix):
                try:
                    static = load("wsserver.http.static")  # 4.5 KB on a 32-bit board
                except MemoryError:
                    raise HTTPError(503, "out of memory", "Retry-After: 5") from None
                port = None if self._secure else https_port
                return static.open_file(request, prefix, directory, port)
        raise HTTPError(404, "not found")

    # --- answer

    def _refuse(self, error):
        """Send the response for an HTTPError."""
        responses = load("wsserver.http.responses")  # 1.2 KB on a 32-bit board
        self._answer(responses.error_response(error))

    def _answer(self, response: bytes, file=None, size: int = 0) -> None:
        """Send a response, or a response head and then at most `size` bytes of a file."""
        self._file = file
        self._left = size
        self._state = LINGERING  # if there is no memory for the response
        if self._reserve(len(response), self._pool.write_limit):
            self._append(response)
            self._state = RESPONDING

    def _upgrade(self, request, route, buf, pos, end):
        """Send the 101 response; from then on the socket belongs to a Client."""
        server = self._server
        subprotocol = choose_subprotocol(request, route.subprotocols)
        response = accept_response(request, subprotocol)
        if not server._filler:  # on a large heap, collecting takes long
            gc.collect()  # so that the client is not placed among garbage, which fragments
        server._last_id = id = server._last_id + 1
        client = Client(route, self._pool, id, self._address, request, subprotocol)
        if not client._reserve(len(response), self._pool.write_limit):
            raise MemoryError
        client._append(response)
        server._replace(self, client)
        client._call("open")
        client._receive(buf, pos, end)

    # --- events of the loop

    def _on_eof(self) -> bool:
        """Return whether to keep the connection although the peer sends no more."""
        self._half_closed = self._state == RESPONDING
        return self._half_closed

    def _on_drained(self) -> None:
        """Send the next part of the file, or wait for the peer to close."""
        if self._file and self._reserve(0, 0):
            # Not more than Content-Length says. If it is less, the peer notices.
            self._out_end = count = min(self._read_file(), self._left)
            self._left -= count
            if count:
                return
            self._discard()
        self._state = LINGERING

    def _read_file(self):
        """Return how many bytes of the file are in the send buffer now."""
        try:
            return self._file.readinto(self._out)
        except Exception as error:  # the flash is defective, or the file is damaged
            self._server._log(WARNING, "cannot read %s: %s" % (self._path, describe(error)))
            return 0

    def _on_lost(self, reason: str = "") -> None:
        """Free everything: the connection is closed, or has been upgraded."""
        self._discard()
        if self._file:
            self._file.close()
