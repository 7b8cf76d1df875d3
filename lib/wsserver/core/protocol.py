"""One WebSocket connection after its handshake (RFC 6455, sections 5 to 7), without I/O.

A Protocol turns received bytes into callbacks, and messages into bytes in its send buffer. The
server must:

- read into _inbox if there is one, otherwise into any buffer, and pass that to _receive;
- write the contents of the send buffer;
- close TCP when the state is closed and the send buffer is empty;
- call _on_lost when TCP is closed.

A Client is a Protocol with the public attributes. All other names begin with "_", so that
applications can add attributes of their own to their clients.
"""

from ..lazy import call, load
from ..log import ERROR, WARNING, traceback
from .buffers import SendBuffer
from .decoder import FrameDecoder
from .frames import (
    close_payload,
    const,
    deliver,
    micropython,
    parse_close,
    payload_of,
    send,
    write_header,
)

_OPEN = const(0)  # states: see core.buffers
_CLOSING = const(1)
_FAILED = const(2)
_CLOSED = const(3)
_TEXT = const(1)
_BINARY = const(2)
_CLOSE = const(8)
_PONG = const(10)
_NORMAL = const(1000)
_ABNORMAL = const(1006)
_INVALID_DATA = const(1007)
_INTERNAL_ERROR = const(1011)
_TRY_AGAIN_LATER = const(1013)
_MAX_HEADER = const(10)
_MAX_CONTROL = const(125)  # bytes of payload in a control frame (section 5.5)

# Module globals are found much faster than built-ins, of which there are a hundred.
isinstance = isinstance
str = str
len = len


class Route:
    """The configuration of a path, made by http.routes.make_route.

    request, open, message, chunk, close, ping, pong, drain: the endpoint's on_... methods, or
    None. drops: whether a message that does not fit in the send buffer is dropped. origins: None
    stands for the default. reserved: whether its clients may exceed max_clients. required: whether
    one of the subprotocols must be offered.
    """

    subprotocols: tuple
    origins: tuple
    access: object
    drops: bool
    reserved: bool
    required: bool
    request: object
    message: object
    chunk: object


class Protocol(SendBuffer):
    """The state machine of one connection. The endpoint's callbacks get it as their client."""

    _close_code = _ABNORMAL
    _close_reason = ""
    _close_sent: int  # the code of our Close frame, unless that echoes the peer's
    _messages = 0  # delivered as a whole
    # If _tail cannot hold it, _inbox[:_in_start] has the fragments of a message so far, and
    # _inbox[_in_start:_in_end] the beginning of the next frame.
    _in_start = 0
    _in_end: int

    def __init__(self, route, pool):
        super().__init__(pool)
        self._route = route
        self._state = _OPEN
        self._pongs = 0  # received since the server looked last
        self._decoder: Anything = None  # made when it is needed
        self._tail = b""  # the beginning of a frame that fits in the read buffer as a whole
        # on_message if the next byte starts a frame of a new message in the open state, else None.
        # Then `deliver` may be used.
        self._plain = route.message

    @micropython.native
    def _receive(self, buf: memoryview, pos: int, end: int, found: int = 0) -> None:
        """Process the received bytes buf[pos:end]; the buffer is overwritten.

        If there is an inbox, `buf` must be the inbox, with new data from _in_end on, and `pos`
        must be _in_start. Otherwise _tail must have been copied before the new data. found: what
        deliver() has returned, if the caller has called it.
        """
        pool = self._pool
        limit = pool.max_size
        progress = pool.progress
        progress[0] = pos
        progress[1] = 0
        decoder = self._decoder
        stuck = -1
        while True:
            try:
                while True:
                    message = self._plain
                    if message and not found:
                        found = deliver(pos, end, limit, buf, self, message, progress)
                        pos = progress[0]
                        if pos == end and not found and not decoder and self._inbox is None:
                            self._messages += progress[1]
                            return
                        if progress[1] and decoder:
                            decoder.checked = 0  # the frame that it refers to is complete now
                    if found < 0:
                        self._fail(_INVALID_DATA, "text is not UTF-8")
                        found = 0
                    if pos == end or self._state == _CLOSED:
                        pos = end
                        break
                    decoder = self._decoder = self._decoder or FrameDecoder(self)
                    decoder.pos = pos
                    if found:
                        more = decoder.look_ahead(buf, end, found)
                        found = 0
                    else:
                        more = decoder.decode(buf, end)
                    pos = decoder.pos
                    if not more:
                        break
                if progress[1]:
                    self._messages += progress[1]
                if pos < end or self._inbox is not None:
                    self._keep(buf, pos, end)
                return
            except Exception as error:
                # An error of the application, or out of memory: only this client is affected.
                self._report(error)
                found = 0
                if progress[0] > pos:
                    pos = progress[0]
                if decoder and decoder.pos > pos:
                    pos = decoder.pos
                if pos == stuck:  # there is not even memory to skip the data
                    self._state = _CLOSED
                    return
                stuck = pos

    def _store(self, data) -> None:
        """Append the payload of a fragment to those before it."""
        if self._inbox is None:
            self._inbox = self._pool.take()
        end = self._in_start + len(data)
        self._inbox[self._in_start : end] = data
        self._in_start = end

    def _keep(self, buf, pos, end):
        """Keep buf[pos:end] until more arrives, or return an inbox that is not needed."""
        if self._state:
            self._in_start = 0  # the message will not be delivered
        start = self._in_start
        if start or pos < end and self._decoder.need > self._pool.read_size:
            if self._inbox is None:
                self._inbox = self._pool.take()
            self._in_end = start + end - pos
            if buf is not self._inbox or pos != start:
                self._inbox[start : self._in_end] = buf[pos:end]
        else:
            if pos < end:
                self._tail = bytearray(buf[pos:end])  # bytes would be hashed
            if self._inbox is not None:
                self._free_inbox()

    send = send

    @micropython.native
    def _send_other(self, message) -> bool:
        """Send what `send` leaves to this method: long messages and less common types."""
        opcode = _TEXT if isinstance(message, str) else _BINARY
        message = payload_of(message, "send() takes")
        length = len(message)
        size = length + (2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER)
        if not self._make_space(size):
            return False
        start = write_header(self._out, self._out_end, opcode, length)
        end = start + length
        try:
            self._out[start:end] = message
        except ValueError:  # a memoryview of items that are no single bytes
            call(".core.errors", "payload_of", "send() takes", message)
        self._out_end = end
        return True

    def _send_frame(self, data) -> bool:
        """Send a message that frames.encode() has encoded: one frame for many clients."""
        if not self._make_space(len(data)):
            return False
        self._append(data)
        return True

    @micropython.native
    def _make_space(self, size: int) -> bool:
        """Make space for a message's frame of `size` bytes behind _out_end.

        If there is no space, apply the endpoint's `overflow`, and return False.
        """
        if self._state:
            return False
        pool = self._pool
        limit = pool.write_limit
        spare = pool._spare
        if spare and size <= limit and not self._out:
            # An inlined _reserve() and take() for most messages: it saves three calls.
            self._out = spare.pop()
            self._out_limit = limit
            pool.unsent.append(self)
            return True
        if self._reserve(size, limit):
            return True
        if size > limit:
            pool.log(WARNING, call(".core.errors", "too_long", size, limit))
        if not self._route.drops:
            reason = "send buffer full" if self._out else "out of memory"
            self._fail(_TRY_AGAIN_LATER, reason)
        return False

    def _send_control(self, opcode, data):
        # Behind write_limit there is space for a Close and one more control frame. A Pong that
        # does not fit is not sent.
        extra = 262 if opcode == _CLOSE else 131
        if self._reserve(len(data) + 2, self._pool.write_limit + extra):
            self._out_end = write_header(self._out, self._out_end, opcode, len(data))
            self._append(data)
            return True
        return False

    def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Start the closing handshake; on_close follows. Ignored if it has started already.

        Raises ValueError if the code may not be sent (RFC 6455, section 7.4), or if the reason has
        over 123 bytes of UTF-8, and TypeError if they are not an int and a str.
        """
        payload = close_payload(code, reason)
        if self._state == _OPEN:
            self._close_sent = code
            self._close(_CLOSING, payload, reason)

    def _fail(self, code: int, reason: str) -> None:
        """Close because of an error, with a shorter timeout (RFC 6455, section 7.1.7)."""
        if self._state == _OPEN:
            self._close_sent = code
            self._close(_FAILED, close_payload(code, reason), reason)

    def _close(self, state, payload, reason):
        self._plain = None
        self._state = state
        self._close_reason = reason
        if not self._send_control(_CLOSE, payload) and not self._out and self._pool.write:
            try:
                self._out = bytes((0x80 | _CLOSE, len(payload))) + payload
                self._out_end = len(self._out)
                self._pool.write(self)  # no buffer can be had; TCP takes as much without one
            except MemoryError:
                pass  # dropped without a Close
            self._out = None
            self._out_start = self._out_end = 0
            if self._tls_pending:
                self._tls_pending = 0
        self._out_limit = 0

    def _report(self, error: Exception, name: str = "") -> None:
        """Log an exception of the application and close this client with 1011.

        name: of the callback that has raised it, if it is not the one of messages.
        """
        try:
            self._pool.log(ERROR, traceback(error, self, name))
        except MemoryError:
            pass  # no memory even for a log line
        self._fail(_INTERNAL_ERROR, "internal error")

    def _call(self, name: str, *args) -> None:
        """Call the endpoint's on_`name` if it has one, with this client as its first argument."""
        callback = getattr(self._route, name)
        if callback:
            call = self._pool.call
            try:
                if call:
                    call(callback, name, self, args)
                else:
                    callback(self, *args)
            except Exception as error:
                self._report(error, name)

    def _on_control(self, opcode: int, payload) -> None:
        """Process a complete control frame; `payload` is a memoryview, or b""."""
        if opcode == _CLOSE:
            code, reason = parse_close(payload)
            if code < 0 or len(payload) > _MAX_CONTROL:
                self._fail(-code, reason)
            else:
                if self._state == _OPEN:
                    # Section 5.5.1: the Close that answers one echoes its status code.
                    self._close(_CLOSING, bytes(payload[:2]), reason)
                elif not reason:
                    # It answers ours. Many clients answer with 1000, whatever they have received.
                    code, reason = self._close_sent, self._close_reason
                self._close_code = code
                self._close_reason = reason
            self._state = _CLOSED
        elif self._state == _OPEN:
            if opcode == _PONG:
                self._pongs += 1
                if self._route.pong:
                    self._call("pong", bytes(payload))
            elif self._route.ping:
                self._call("ping", bytes(payload))
            else:
                # Section 5.5.3: a Pong has the same application data as the Ping.
                self._send_control(_PONG, payload)

    def _on_drained(self) -> None:
        """Call on_drain: everything has been passed to TCP."""
        if self._route.drain and self._state == _OPEN:
            self._call("drain")

    def _on_lost(self, reason: str = "") -> None:
        """Call on_close once: with the code and reason that were received, or 1006 (7.1.5)."""
        self._discard()
        self._plain = None
        self._state = _CLOSED
        self._free_inbox()
        if self._close_code == _ABNORMAL and not self._close_reason:
            self._close_reason = reason
        self._call("close", self._close_code, self._close_reason)
        self._route = None


class Client(Protocol):
    """A connected WebSocket client.

    id: a number that this server never uses again. address: (IP, port). path, query: those of the
    request. params: the parameters of the path as a dict, or None. subprotocol: the selected one,
    or None. context: free for the application. buffered: bytes that wait to be sent. messages:
    messages received. bytes: bytes received with frame headers, modulo 2 ** 30. is_open: whether
    messages can be sent. secure: whether the connection uses TLS. text: in on_chunk, whether the
    message is a text.
    """

    query = ""
    subprotocol = None
    context = None
    params = None
    _groups = ()
    _expected = 0  # see server._RUN_BITS
    _counted_messages: int  # these two: see http.ratelimit
    _counted_bytes: int
    # Used by keepalive, in ms of time.ticks_ms:
    _pong_due = None
    _closing_since = None
    _worker: "Anything" = None  # the workers.Worker, once a callback was async

    def __init__(self, route, pool, id: int, address: tuple, request, subprotocol):
        super().__init__(route, pool)
        self.send = self.send  # cache the bound method: it saves two class lookups for each call
        self._id = id
        self._address = address
        self._path = request.path
        if request.query:
            self.query = request.query
        if request.params:
            self.params = request.params
        if request.context is not None:
            self.context = request.context
        if subprotocol:
            self.subprotocol = subprotocol
        # The server's: the socket, the events that poll watches, and times of time.ticks_ms.
        self._sock = None
        self._events = 0
        # When data last arrived, and when more than a Pong did.
        self._last_heard = self._last_used = 0
        self._is_direct = not route.drain  # the server may write replies without _flush()

    def __getattr__(self, name):
        # Not properties: one of them makes MicroPython search all base classes at every assignment
        # to self, which then takes four times as long.
        if name == "buffered":
            return self._out_end - self._out_start
        if name == "is_open":
            return self._state == _OPEN
        if name == "text":
            return self._decoder is not None and self._decoder.is_text
        if name == "secure":
            return self._tls is not None
        if name in ("id", "address", "path", "messages", "bytes"):
            return getattr(self, "_" + name)
        if name in ("drain", "join", "leave", "ping", "pong", "send_stream"):
            load(".clientmethods")  # adds these methods to this class
            return getattr(self, name)
        raise AttributeError(name)
