"""Check properties of the sans-I/O core on CPython that hold for any bytes, however they are cut.

An AssertionError, or any other exception, is a find.
"""

from __future__ import annotations

import sys
import types

from tools import ROOT

_LIB = ROOT / "lib"

# CPython cannot import the package's __init__, which imports the server: the core is all it gets.
if "wsserver" not in sys.modules:
    _package = types.ModuleType("wsserver")
    _package.__path__ = [str(_LIB / "wsserver")]
    sys.modules["wsserver"] = _package

from tools.wsclient import CLOSE, PONG, mask, parse_server  # noqa: E402
from wsserver import callbacks, clientmethods, lazy  # noqa: E402
from wsserver.core import buffers, errors, protocol  # noqa: E402
from wsserver.http import connection as http  # noqa: E402
from wsserver.http import nearpaths, request, responses, routes, unusual  # noqa: E402

from . import oracle  # noqa: E402
from .packets import check_packets  # noqa: E402


class Head(bytearray):
    """A bytearray that takes texts as well, as MicroPython's does."""

    def __iadd__(self, data):  # type: ignore[misc]
        self.extend(data.encode() if isinstance(data, str) else data)
        return self


def loaded(others=()) -> list[str]:
    """Do what lazy.loaded() does, which compares lists: CPython has 2,000 modules, a board 60."""
    known = frozenset(others)
    return [name for name in sys.modules if name not in known]


responses.bytearray = Head
lazy.loaded = loaded

_OPEN, _CLOSED = 0, 3  # states: see core.buffers
_BAD_HEADS = tuple(b"HTTP/1.1 %d " % status for status in (400, 431, 505))
_LONG_ENOUGH = 6000  # bytes of a session: longer ones find no more, and take longer
# (max_size, read_size): the read buffer may be smaller than a message, or larger.
_SIZES = ((200, 64), (64, 512), (1000, 100), (5000, 4112))


class _Endpoint:
    """Echo messages and record all events."""

    def __init__(self, chunked: bool):
        self.events: list[tuple] = []
        self.ends: list[tuple] = []
        self._parts: list[bytes] = []
        if chunked:
            self.on_chunk = self._take_chunk
        else:
            self.on_message = self._take_message

    def _take_message(self, client, message):
        is_text = isinstance(message, str)
        data = message.encode() if is_text else message
        self.events.append(("text" if is_text else "binary", data))
        assert client.send(message), "an echo found no space"

    def _take_chunk(self, client, chunk, final):
        self._parts.append(bytes(chunk))
        if final:
            data = b"".join(self._parts)
            self.events.append(("text" if client._decoder.is_text else "binary", data))
            self._parts = []

    def on_ping(self, client, data):
        self.events.append(("ping", data))
        clientmethods.pong(client, data)

    def on_pong(self, client, data):
        self.events.append(("pong", data))

    def on_close(self, client, code, reason):
        self.ends.append((code, reason))


class Outcome:
    """Record the outcome of a connection.

    events: the endpoint's. sent: the bytes. end: the arguments of on_close. state: of the
    connection. failure: the close code after an error of the peer, or None.
    """

    def __init__(self, data: bytes, cuts: list[int], sizes: tuple[int, int], chunked: bool):
        max_size, read_size = sizes
        write_limit = max(read_size, max_size + 160)
        logged: list[str] = []
        pool = buffers.BufferPool(max_size, write_limit, lambda level, text: logged.append(text))
        pool.read_size = read_size
        borrowed = _count_buffers(pool)
        endpoint = _Endpoint(chunked)
        connection = protocol.Protocol(routes.make_route(endpoint), pool)
        failures = _note_failures(connection)
        self.sent = b""
        buffer = memoryview(bytearray(read_size))
        for piece in _pieces(data, cuts):
            while piece and connection._state != _CLOSED:
                piece = _read(connection, buffer, piece)
                assert connection._out_end - connection._out_start <= write_limit + 262
                assert len(connection._tail) < read_size, "the tail fills the read buffer"
                if connection._out:
                    start, end = connection._out_start, connection._out_end
                    self.sent += bytes(connection._out[start:end])
                connection._discard()
                assert borrowed() <= 1, "more than the inbox is borrowed"
        self.state = connection._state
        connection._on_lost("gone")
        assert borrowed() == 0, "a buffer was not returned"
        assert len(endpoint.ends) == 1, "on_close was not called once"
        assert not logged, logged
        self.events = endpoint.events
        self.end = endpoint.ends[0]
        closes = [payload for opcode, payload in parse_server(self.sent) if opcode == CLOSE]
        assert len(closes) <= 1, "two Close frames"
        self.failure = failures[0] if failures else None

    def seen(self) -> tuple:
        """Return what must be the same however the bytes were cut."""
        return self.events, self.sent, self.end, self.state


def _note_failures(connection):
    """Return a list that receives the codes with which a connection fails."""
    failures: list[int] = []
    fail = connection._fail

    def failed(code, reason):
        assert code in (1002, 1007, 1009), f"closed with {code} by a fault of the server's own"
        if connection._state == _OPEN:
            failures.append(code)
        fail(code, reason)

    connection._fail = failed
    return failures


def _count_buffers(pool):
    """Return a function that returns how many of a pool's buffers are in use."""
    out = [0]
    take, give = pool.take, pool.give

    class Spare(list):
        """The pool's buffers. Protocol._make_space() takes one without calling the pool."""

        def pop(self, index=-1, /):
            out[0] += 1
            return super().pop(index)

        def append(self, buffer):
            out[0] -= 1
            super().append(buffer)

    def taken():
        if not spare:
            out[0] += 1  # it allocates one
        return take()

    def given(buffer):
        before = len(spare)
        give(buffer)
        if len(spare) == before:
            out[0] -= 1  # it frees one

    spare = pool._spare = Spare(pool._spare)
    pool.take, pool.give = taken, given
    return lambda: out[0]


def _pieces(data, cuts):
    start = 0
    for cut in (*cuts, len(data)):
        if start < cut <= len(data):
            yield data[start:cut]
            start = cut


def _read(connection, buffer, data):
    """Have a connection read what fits, as the server does; returns the rest."""
    inbox = connection._inbox
    if inbox is None:
        start, end, space, into = 0, len(connection._tail), len(buffer), buffer
        into[:end] = connection._tail
    else:
        start, end, space = connection._in_start, connection._in_end, connection._pool.inbox_size
        into = inbox
    count = min(len(data), space - end)
    assert count > 0, "there is no space to read into: the connection hangs"
    into[end : end + count] = data[:count]
    connection._tail = b""
    connection._receive(into, start, end + count)
    return data[count:]


def frames_of(recipe: bytes) -> bytes:
    """Return the frames that a recipe describes: for each its first byte, a length, and the
    payload.

    So the guided fuzzer reaches the code behind the mask. Lengths from 240 on are longer than the
    recipe; the rest of the payload is "a".
    """
    stream = b""
    while len(recipe) > 1 and len(stream) < _LONG_ENOUGH:
        first, length = recipe[:2]
        size = length if length < 240 else (length - 236) * 70
        payload = recipe[2 : 2 + length].ljust(size, b"a")[:size]
        recipe = recipe[2 + length :] if length < 240 else recipe[2:]
        key = bytes((length, first, 3, 0x80))
        short = size if size < 126 else 126
        head = bytes((first, 0x80 | short))
        head += size.to_bytes(2, "big") if size > 125 else b""
        stream += head + key + mask(payload, key)
    return stream


def check_session(data: bytes) -> None:
    """Feed a connection. The first three bytes choose the mode, the others are what the peer
    sends, or a recipe for it.
    """
    if len(data) < 4:
        return
    how, step, offset = data[:3]
    stream = frames_of(data[3:]) if how & 8 else data[3:]
    sizes = _SIZES[how & 3]
    chunked = bool(how & 4)
    whole = Outcome(stream, [], sizes, chunked)
    step = max(step, len(stream) // 60, 1)  # one byte at a time only where that does not take long
    cuts = list(range(offset % step + 1, len(stream), step))
    cut = Outcome(stream, cuts, sizes, chunked)
    assert cut.seen() == whole.seen(), f"cut: {cut.seen()}; whole: {whole.seen()}"
    failure = whole.failure
    events = whole.events
    if failure is None and whole.state == _CLOSED:
        events = [*events, ("close", *whole.end)]
    assert oracle.agrees(stream, events, failure, whole.state == _CLOSED), (
        f"{events} {failure} {whole.end} instead of {oracle.verdict(stream)}"
    )
    pongs = [payload for opcode, payload in parse_server(whole.sent) if opcode == PONG]
    assert pongs == [event[1] for event in whole.events if event[0] == "ping"]


# --- the HTTP request before it


def _visit(data: bytes, cuts: list[int]) -> tuple:
    """Return the requests, the answer to these bytes, and the state of the connection."""
    pool = buffers.BufferPool(1000, 1200, lambda level, text: None)
    requests = []

    class Connection(http.HTTPConnection):
        def _receive(self, buf, pos, end):
            super()._receive(buf, pos, end)
            assert len(self._head) <= 403, "the head grows without bounds"

        def _respond(self, asked, buf, pos, end):
            requests.append((asked.method, asked.path, asked.query, asked.headers))
            request.check_host(asked, ("localhost",))
            request.check_origin(asked)
            request.check_upgrade(asked)
            chosen = request.choose_subprotocol(asked, ("chat", "superchat"))
            assert chosen in (None, "chat", "superchat")
            self._answer(request.accept_response(asked, chosen))

    # loaded once: lazy.load() cannot import some on CPython, and collects garbage at each load
    assert callbacks and errors and nearpaths and responses and unusual
    server = types.SimpleNamespace(
        _pool=pool,
        _max_head=400,
        proxies=(),
        origins=(),
        limits=None,
        routes={},
        **dict.fromkeys(("_router", "patterns")),
    )
    server._log_refusal = lambda *what: None
    one = Connection(server, None, ("", 0), 0)
    buffer = memoryview(bytearray(512))
    for piece in _pieces(data, cuts):
        while piece:
            count = min(len(piece), len(buffer))
            buffer[:count] = piece[:count]
            one._receive(buffer, 0, count)
            piece = piece[count:]
    answer = bytes(one._out[one._out_start : one._out_end]) if one._out else b""
    return requests, answer, one._state


def check_request(data: bytes) -> None:
    """Feed an HTTP connection: the first two bytes say how to cut the request that follows."""
    if len(data) < 3:
        return
    offset, request = data[1], data[2:]
    step = max(data[0], len(request) // 60, 1)  # as in check_session
    whole = _visit(request, [])
    cut = _visit(request, list(range(offset % step + 1, len(request), step)))
    requests, answer, _ = whole
    # How much of a bad head has been seen when it is refused depends on the cuts, and so does
    # which of its faults is named.
    refused = all(seen[1].startswith(_BAD_HEADS) for seen in (cut, whole))
    assert cut == whole or refused, f"cut: {cut}; whole: {whole}"
    assert len(requests) <= 1, "two requests were served"
    if not answer:
        assert b"\r\n\r\n" not in request.lstrip(b"\r\n"), "a request was not answered"
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = int(lines[0].split()[1])
    assert lines[0].startswith(b"HTTP/1.1 ")
    assert b"\n" not in head.replace(b"\r\n", b""), "a header was smuggled into the answer"
    assert status in (101, 400, 403, 405, 421, 426, 431, 505), status
    if status == 101:
        assert requests and requests[0][0] == "GET" and not body
    else:
        assert b"Content-Length: %d" % len(body) in lines


CHECKS = {"session": check_session, "request": check_request, "packets": check_packets}
