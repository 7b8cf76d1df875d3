"""An HTTP connection: read one request, route it, and answer it."""

import gc

from wsserver.core.buffers import SendBuffer
from wsserver.core.frames import const, make
from wsserver.core.protocol import Client

from ..lazy import call, load
from .request import (
    HTTPError,
    accept_response,
    check_host,
    check_origin,
    check_upgrade,
    choose_subprotocol,
    find_head,
    parse_request,
)

_AROUND_HEAD = const(20)  # see http.request
_USUAL = const(512)  # bytes of most request heads

_READING = const(0)  # the request head
_RESPONDING = const(1)
# The response is sent. The peer should close first, unless it has sent one whole request and no
# more: if unread data were left, TCP would send a RST instead of a FIN, and the peer could lose
# the response (RFC 9112, section 9.6).
_LINGERING = const(2)
# For which no module has to be loaded.
_OUT_OF_MEMORY = const(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")


class HTTPConnection(SendBuffer):
    """Requests and their responses, one at a time; or an upgrade to a Client."""

    # Whether the peer is a trusted proxy, and whether its client has used TLS.
    _trusted = _https = False
    # Whether it may stay open for another request. None: no, and nothing but the request came.
    _keeps: "Anything" = False
    _kept = False  # whether it waits for another request
    _head = b""  # the beginning of a request head
    _static: "Anything"  # the module that reads _file
    _file: "Anything" = None
    _left: "Anything" = 0  # bytes of the file that are still to be sent
    _counted = False  # whether limits.handshakes has counted it before its request

    def __init__(self, server, sock, address: tuple, now: int):
        super().__init__(server._pool)
        self._server = server
        self._sock = sock
        self._address = address
        self._events = 0
        self._state = _READING
        # The time in ms at which it began to read the head, send a part of the response, or
        # linger. None: just now; keepalive.sweep() will set the time.
        self._since = self._last_heard = self._last_used = now

    # --- read

    # Long: always loaded, and each method takes a name and a slot for as long.
    def _receive(self, buf, pos: int, end: int) -> None:
        """Collect the request head from buf[pos:end], and answer it when it is complete."""
        if self._state != _READING:
            self._keeps = False  # data that does not belong to the request
            return
        limit = self._server._max_head
        # Data behind a head may be long, and is not copied: MicroPython hashes each byte.
        most = min(end, pos + limit + _AROUND_HEAD)
        head = make(2, buf, pos, min(most - pos, _USUAL), 0)
        if self._head:
            head = self._head + head
        request = error = None
        try:
            start, stop, after = find_head(head, limit)
            if stop < 0 and most > pos + _USUAL:
                head = self._head + bytes(buf[pos:most])
                start, stop, after = find_head(head, limit)
            if stop < 0:
                self._head = head
                return
            pos += after - len(self._head)
            request = parse_request(make(2, head, start, stop - start, 0))
        except HTTPError as bad:
            error = bad
        if self._head:
            self._head = b""
        try:
            if request and self._address[0] in self._server.proxies:
                load(".http.proxies").identify(self, request)
            if request:
                request.address = self._address
                request.secure = self._tls is not None or self._https
            if self._server.limits and not self._counted:
                self._server.limits.check_handshake(self._address[0])
            if error:
                raise error
            self._respond(request, buf, pos, end)
        except HTTPError as error:
            self._refuse(error, request)
        except MemoryError:
            if self._sock is None or self._state != _READING:
                raise
            self._answer(_OUT_OF_MEMORY)
            self._server._log_refusal(self._address[0], "out of memory", request, 503)
        except Exception as error:  # of the application, for example an attribute
            if self._sock is None:  # it is a client already
                raise
            self._server._report(error, self)
            self._refuse(HTTPError(500, "internal error"), request)

    # --- route

    # Long: always loaded; the order of the checks is the security of the server.
    def _respond(self, request, buf, pos, end):
        """Answer a request; buf[pos:end] is what follows its head.

        Raises HTTPError if it is refused.
        """
        server = self._server
        if server.hosts:
            check_host(request, server.hosts, server.portal, self._trusted)
        router = server._router
        if router:
            routes = router.find(request)
            if routes:
                router.start(self, request, routes, buf, pos, end)
                return
        if request.method == "OPTIONS":
            self._answer(call(".http.cors", "preflight", request, server.origins))
            return
        route = server.routes.get(request.path)
        if isinstance(route, tuple):
            route = load(".resolve").resolve(server, request)
        if route is None and server.patterns:
            route = load(".http.patterns").find(server.patterns, request)
        if route is None:
            if request.wants_websocket():
                raise HTTPError(404, "no WebSocket at this path")
            self._path = request.path
            if not server._folders:
                raise HTTPError(404, "not found")
            try:
                self._static = load(".http.static")  # 5.7 KB on a 32-bit board
            except MemoryError:
                raise HTTPError(503, "out of memory", "Retry-After: 5") from None
            self._keeps = pos == end
            self._answer(*self._static.find_file(self, request))
            return
        # The Origin first: a page on the internet must not be able to guess secrets.
        check_origin(request, route.origins, server.origins)
        if route.access:
            route.access.check(request, self._address[0])
        check_upgrade(request)
        if route.request:
            prehandshake = load(".http.prehandshake")
            if not prehandshake.decide(self, route, request, buf, pos, end):
                return
        self._upgrade(request, route, buf, pos, end)

    # --- answer

    def _refuse(self, error, request):
        """Send the response for an HTTPError, and log it. request: None if it is malformed."""
        server = self._server
        try:
            responses = load(".http.responses")  # 1.4 KB on a 32-bit board
            response = responses.error_response(error, request, server)
        except MemoryError:
            response = _OUT_OF_MEMORY
        self._answer(response)
        if error.status >= 400:
            server._log_refusal(self._address[0], error.detail, request, error.status)

    def _answer(self, response, keeps=False, file=None, size: int = 0) -> None:
        """Send a response, or a response head and then at most `size` bytes of a file.

        keeps: see _keeps.
        """
        self._keeps = keeps
        if file:
            self._file = file
            self._left = size
        self._linger()  # if there is no memory for the response
        if self._reserve(len(response), self._pool.write_limit):
            self._append(response)
            self._state = _RESPONDING
            if file:
                self._static.read_part(self)
            return
        try:
            self._sock.write(_OUT_OF_MEMORY)  # no buffer can be had; TCP takes as much without one
        except OSError:
            pass
        self._server._log_refusal(self._address[0], "out of memory", None, 503)

    def _upgrade(self, request, route, buf, pos, end):
        """Send the 101 response; from then on the socket belongs to a Client.

        Raises HTTPError 503 if there is no slot for a client.
        """
        server = self._server
        # The reserved TLS slots are for pages, and for reserved paths.
        if self._tls and not route.reserved and self._tls.is_full(server, True):
            raise HTTPError(503, call(".reports", "tls_slots_in_use"), "Retry-After: 5")
        if not server._has_place(route.reserved):
            raise HTTPError(503, "too many clients (server.max_clients)", "Retry-After: 5")
        subprotocol = choose_subprotocol(request, route.subprotocols)
        response = accept_response(request, subprotocol)
        if not server._filler:  # on a large heap, collecting takes long
            gc.collect()  # so that the client is not placed among garbage, which fragments
        # str() finds the path among the names, so that each client does not keep a copy.
        request.path = str(request.path.encode(), "utf-8")
        server.last_id = id = server.last_id + 1
        client = Client(route, self._pool, id, self._address, request, subprotocol)
        if not client._reserve(len(response), self._pool.write_limit):
            raise MemoryError
        client._append(response)
        server._replace(self, client)
        client._call("open")
        client._receive(buf, pos, end)

    # --- events of the loop

    def _on_eof(self) -> bool:
        """Return whether to keep the connection although the peer sends no more.

        Before the response it has gone: its request is incomplete, or nothing would tell a handler
        that no response can arrive.
        """
        self._half_closed = self._state == _RESPONDING
        self._keeps = False
        return self._half_closed

    def _on_drained(self) -> None:
        """Send the next part of the file; then wait for another request, or for the end."""
        if self._state != _RESPONDING:
            return
        if self._left and self._reserve(0, 0):
            if self._static.read_part(self):
                self._since = None
                return
            self._discard()
        self._end_request()

    def _end_request(self):
        """Wait for another request, or for the peer to close."""
        if self._file:
            self._file.close()
            self._file = None
        # A file that is shorter than its Content-Length: the peer notices it by the end.
        self._linger()
        if self._keeps and not self._left:
            self._state = _READING
            self._kept = True
        elif self._keeps is None:
            self._server._read(self, self._sock)
            if self._keeps is None:
                self._server._drop(self)

    def _linger(self):
        self._state = _LINGERING
        self._since = None

    def _on_lost(self, reason: str = "") -> None:
        """Free everything: the connection is closed, or has been upgraded."""
        if "does not use TLS" in reason:
            text = "connection lost: no TLS at a port with TLS: use https:// or wss:// here"
            self._server._log_refusal(self._address[0], text)
        self._discard()
        if self._file:
            self._file.close()
