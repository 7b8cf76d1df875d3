"""A request to a route: receive its body, call its handler, send the response.

Loaded with the first request to a route, and stays. An Exchange takes the place of the connection
that has received the request's head, and keeps its slot.
"""

from time import ticks_diff, ticks_ms

from wsserver.core.frames import _BYTES, const, make, text_bytes

from ..lazy import call, load
from .connection import HTTPConnection
from .request import HTTPError, check_origin
from .response import make_response
from .responses import can_keep, response_head

_READING = const(0)  # states: see http.connection
_RESPONDING = const(1)
_LINGERING = const(2)
_BODY = const(4)  # waiting for the peer to send the body
_HANDLING = const(5)  # an async handler runs
_SLOW = const(200)  # ms in a handler after which a warning is logged
# While the body is awaited, so many bytes must arrive in open_timeout.
_PROGRESS = const(1024)
_CHUNK_HEAD = const(6)  # bytes: four digits, CR, LF
_MIN_SPACE = const(64)  # bytes of a send buffer that are worth filling
_MAX_PIECES = const(32)  # of an iterator in one turn
_CONTINUE = const(b"HTTP/1.1 100 Continue\r\n\r\n")
# Module globals are found much faster than built-ins, of which there are a hundred.
hasattr = hasattr
isinstance = isinstance
len = len
type = type

_OUT_OF_MEMORY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n"


def start(connection, request, routes, buf, pos: int, end: int) -> None:
    """Let an Exchange take over a connection; buf[pos:end] is what follows the request's head.

    Raises HTTPError if the request is refused, and MemoryError. Then nothing has been done.
    """
    route = routes[0]
    if request.method not in route.methods:
        route = _choose(routes, request)
    if route is None:
        allow = _allowed(routes)
        origins = _origins(connection, routes[0])
        response = call(".http.cors", "preflight", request, origins, allow)
        connection._answer(response)
        return
    check_origin(request, None, _origins(connection, route))
    if route.access:
        route.access.check(request, connection._address[0])
    kind = route.stream or Exchange  # the class
    if kind is True:
        kind = load(".http.uploads").Upload
    if kind is Exchange and type(connection) is Exchange:  # that has served another request
        connection._prepare(request, route)
        connection._start(buf, pos, end)
        return
    exchange = kind(connection, request, route)
    exchange._take_over(connection)
    exchange._start(buf, pos, end)


def _choose(routes, request):
    """Return the route for the method of a request, or None for OPTIONS.

    Raises HTTPError 405.
    """
    for method in (request.method, "GET" if request.method == "HEAD" else ""):
        for route in routes:
            if method in route.methods:
                return route
    if request.method == "OPTIONS":
        return None
    allow = _allowed(routes)
    raise HTTPError(405, "use " + allow[7:], allow)


def _allowed(routes):
    """Return the Allow header for the routes of a path."""
    methods = []
    for route in routes:
        methods.extend(route.methods)
    for method, implied in (("HEAD", "GET" in methods), ("OPTIONS", True)):
        if implied and method not in methods:
            methods.append(method)
    return "Allow: " + ", ".join(methods)


def _origins(connection, route):
    return connection._server.origins if route.origins is None else route.origins


class Exchange(HTTPConnection):
    """A request to a route, and its response. It may receive further requests."""

    _task: Anything = None  # of an async handler
    _body: Anything = None  # a bodies.Body, if there is one
    _data: Anything = None  # the content of the body so far
    _source: Anything = None  # of the response: a file, or an iterator
    _rest: Anything = b""  # the next bytes of the response's content
    _left: Anything = None  # bytes of the source that are still to be sent; None: not known
    _chunked = False  # whether the response has chunks
    _ends_with_eof = False  # whether closing the connection ends the response
    _expects = False  # whether the peer waits for 100 Continue
    _received = 0  # bytes since the time for the body began

    def __init__(self, connection, request, route):
        super().__init__(connection._server, None, connection._address, connection._last_heard)
        self._events = connection._events
        # Attributes that few connections change stay in the class: see SendBuffer.
        if connection._trusted:
            self._trusted = True
            self._https = connection._https
        if connection._tls:
            self._use_tls(connection._raw, connection._tls)
            self._counted = connection._counted
        self._prepare(request, route)

    def _prepare(self, request, route):
        """Begin with a request. Raises HTTPError if it is refused."""
        self._request = request
        self._route = route
        self._path = request.path
        if self._body:  # of the request before
            self._body = None
        self._keeps = True
        headers = request.headers
        if "content-length" in headers or "transfer-encoding" in headers:
            limit = route.max_body
            if limit is None and not route.stream:
                limit = self._server.max_size
            self._body = load(".http.bodies").Body(request, limit)
        expected = headers.get("expect")
        if expected and expected.lower() != "100-continue":
            raise HTTPError(417, "use Expect: 100-continue")
        expects = bool(expected) and not request.is_1_0
        if expects != self._expects:
            self._expects = expects

    def _take_over(self, connection):
        """Take the place of the connection with the request."""
        connections = self._server._acceptor.http_connections
        connections[connections.index(connection)] = self
        self._server._connections[connection._sock] = self
        self._sock, connection._sock = connection._sock, None

    def _start(self, buf, pos, end):
        """Receive the body, or call the handler at once."""
        try:
            body = self._body
            if pos < end and self._expects:
                self._expects = False  # the peer does not wait
            if body is None or body.done:
                self._keeps = pos >= end
                self._request.body = b""
                self._call_handler()
            else:
                self._data = b""
                self._await_body()
                self._receive(buf, pos, end)
        except Exception as error:
            self._fail(error)

    # --- the body

    def _await_body(self):
        """Let the peer send the body, in limited time."""
        self._state = _BODY
        self._since = None
        self._received = 0
        if self._expects:
            self._expects = False
            if self._reserve(len(_CONTINUE), self._pool.write_limit):
                self._append(_CONTINUE)

    def _receive(self, buf, pos: int, end: int) -> None:
        """Process received data, which belongs to the body as long as there is one."""
        if self._state == _READING:
            HTTPConnection._receive(self, buf, pos, end)
            return
        try:
            if self._state == _BODY:
                self._count(end - pos)
                self._collect(buf, pos, end)
            else:
                self._keeps = False
        except Exception as error:
            self._fail(error)

    def _count(self, size):
        """Give the peer more time if it has sent enough."""
        self._received += size
        if self._received >= _PROGRESS:
            self._received = 0
            self._since = None

    def _collect(self, buf, pos, end):
        """Append to the body, and call the handler when it is complete."""
        body = self._body
        while pos < end and not body.done:
            start, stop, pos = body.next(buf, pos, end)
            if stop > start:
                if body.done and not self._data:
                    self._data = make(2, buf, start, stop - start, 0)  # most often
                else:
                    self._data = self._data or bytearray()
                    self._data.extend(buf[start:stop])
        if body.done:
            self._keeps = pos >= end
            data = self._data
            self._request.body = data if isinstance(data, bytes) else bytes(data)
            self._data = None
            self._call_handler()

    def _pause(self, paused):
        """Stop or continue reading from the socket: backpressure."""
        self._half_closed = paused
        if self._sock is not None:
            self._server._update_poll(self)

    # --- the handler

    def _call_handler(self):
        request = self._request
        self._state = _HANDLING
        started = ticks_ms()
        if request.params:
            result = self._route.handler(request, **request.params)
        else:
            result = self._route.handler(request)
        took = ticks_diff(ticks_ms(), started)
        if took >= _SLOW:
            self._server._warn_slow(took, "route " + self._path, None)
        if type(result).__name__ == "generator":  # MicroPython's type of coroutines
            coroutines = load(".coroutines")
            self._since = None  # the time of the handler begins
            self._task = coroutines.start(self._server, result, self._on_result)
        else:
            self._respond_with(result)

    def _on_result(self, result, error):
        """Answer with what an async handler has returned or raised."""
        if self._task is None or self._sock is None:  # it was cancelled
            return
        self._task = None
        if error:
            self._fail(error)
            return
        try:
            self._respond_with(result)
        except Exception as wrong:
            self._fail(wrong)

    def _end_handler(self):
        """Cancel an async handler that has not answered in time."""
        text = "the handler of this path takes too long (async_timeout), or has a `yield`"
        self._fail(HTTPError(503, text, "Retry-After: 5"))

    def _fail(self, error):
        """Answer with what an error means."""
        self._end_body()
        self._end_response()
        self._rest = b""
        if self._sock is None:
            return
        if self._state in (_RESPONDING, _LINGERING):  # too late for a status
            self._server._report(error)
            self._server._drop(self, "internal error")
        elif isinstance(error, HTTPError):
            self._refuse(error, self._request)
        elif isinstance(error, MemoryError):
            self._answer(_OUT_OF_MEMORY)
            self._server._log_refusal(self._address[0], "out of memory", self._request, 503)
        else:
            self._server._report(error, self)
            self._refuse(HTTPError(500, "internal error"), self._request)

    def _end_body(self):
        """Free what belongs to the body. What the peer still sends of it is ignored."""
        self._data = None
        if self._task:
            task, self._task = self._task, None
            try:
                task.cancel()
            except RuntimeError:
                pass  # the task itself has closed the connection

    # --- the response

    # Long: the head depends on each part of the body; the parts share six local variables.
    def _respond_with(self, value):
        """Send what a handler has returned.

        Raises TypeError or ValueError if it is no response, and MemoryError.
        """
        response = make_response(value)
        request = self._request
        self._end_body()
        body = response.body
        status = response.status
        lines = list(response._lines)
        length = None
        if isinstance(body, _BYTES):
            if status not in (204, 304):
                length = len(body)
            self._rest = body
        else:
            self._source = body
            length = _size(body)
            if length is not None and status == 200:
                lines.append("Accept-Ranges: bytes")
                if "range" in request.headers:
                    ranged = call(".http.ranges", "select", request, lines, length)
                    status, first, length = ranged
                    body.seek(first, 1)
            self._left = length
            if length is None:
                self._ends_with_eof = request.is_1_0
                self._chunked = not request.is_1_0
                if self._chunked:
                    lines.append("Transfer-Encoding: chunked")
        lines.append("X-Content-Type-Options: nosniff")
        received = self._body is None or self._body.done
        self._keeps = can_keep(self, request, received)  # not if the end of TCP ends the response
        if not self._keeps:
            lines.append("Connection: close")
        origins = _origins(self, self._route)
        if origins:
            lines.extend(call(".http.cors", "allow_origin", request, origins))
        head = response_head(status, lines, length)
        if request.method == "HEAD" or status in (204, 304):
            self._rest = b""
            self._end_response()
        self._send_head(head)
        self._request = self._body = None  # their memory is free while the rest is sent

    def _send_head(self, head):
        limit = self._pool.write_limit
        if not self._reserve(len(head), limit):
            if len(head) > limit:
                raise ValueError(
                    "the headers have %d bytes, over %d (write_limit)" % (len(head), limit)
                )
            raise MemoryError
        self._append(head)
        try:
            self._fill()
        except Exception:  # of an iterator
            self._discard()
            raise
        self._state = _RESPONDING
        self._since = None

    def _end_response(self):
        """Close the source of the content."""
        source, self._source = self._source, None
        self._chunked = False
        if source is not None and hasattr(source, "close"):
            try:
                source.close()
            except Exception as error:
                self._server._report(error)

    def _fill(self):
        """Append the next part of the content to the send buffer.

        Raises what the source raises.
        """
        if self._source is None:
            self._append_rest(self._pool.write_limit - self._out_end)
            return
        start = self._out_end + (_CHUNK_HEAD if self._chunked else 0)
        space = self._pool.write_limit - start - 2
        if space < _MIN_SPACE:
            return
        if hasattr(self._source, "readinto"):
            ended = self._read_source(start, space)
        else:
            ended = self._iterate(start, space)
        if self._chunked:
            self._frame_chunk(start, ended)
        if ended:
            self._end_response()

    def _append_rest(self, space):
        rest = self._rest
        count = len(rest)
        if count <= space:  # most often
            self._append(rest)
            self._rest = b""
            return count
        if space > 0:
            rest = memoryview(rest)
            self._append(rest[:space])
            self._rest = rest[space:]
        return max(0, space)

    def _read_source(self, start, space):
        """Read a part of a file into the send buffer. Return whether it was the last one."""
        if self._left is not None:
            space = min(space, self._left)
        count = space and self._source.readinto(self._out[start : start + space]) or 0
        self._out_end = start + count
        if self._left is None:
            return not count
        self._left -= count
        if self._left and not count:
            raise OSError("the file is shorter than it was")
        return not self._left

    def _iterate(self, start, space):
        """Get some parts from an iterator. Return whether the last one was among them."""
        self._out_end = start
        for _ in range(_MAX_PIECES):
            if not self._rest:
                try:
                    piece = next(self._source)
                except StopIteration:
                    return True
                self._rest = text_bytes(piece) if isinstance(piece, str) else piece or b""
            space -= self._append_rest(space)
            if space < _MIN_SPACE:
                break
        return False

    def _frame_chunk(self, start, ended):
        """Make a chunk of the content that begins at `start` in the send buffer."""
        size = self._out_end - start
        if size:
            self._out[start - _CHUNK_HEAD : start] = b"%04x\r\n" % size
            self._append(b"\r\n")
        else:
            self._out_end = start - _CHUNK_HEAD
        if ended:
            self._append(b"0\r\n\r\n")

    # --- events of the loop

    def _on_drained(self) -> None:
        """Send the next part of the response, or wait for the peer to close."""
        if self._state != _RESPONDING or self._file:
            HTTPConnection._on_drained(self)
        elif self._source is None and not self._rest:
            if self._ends_with_eof:
                self._server._drop(self)
            else:
                self._left = 0
                self._end_request()
        elif self._reserve(0, 0):
            self._since = None
            try:
                self._fill()
            except Exception as error:  # the peer sees an incomplete response
                self._fail(error)
        else:  # no memory for a buffer
            self._server._drop(self, "out of memory")

    def _on_lost(self, reason: str = "") -> None:
        """Free everything, and cancel the handler."""
        self._end_body()
        self._end_response()
        super()._on_lost(reason)


def _size(file):
    """Return how many bytes a file has from its position on, or None if it is not known."""
    try:
        start = file.seek(0, 1)
        size = file.seek(0, 2) - start
        file.seek(start)
        return size
    except (AttributeError, OSError):
        return None
