"""One WebSocket connection after its handshake (RFC 6455, sections 5 to 7): bytes in -> callbacks,
bytes out -> its outbox.

Pure: sees no socket and no clock. What a server has to do with it: call `receive` with what was
read, write what is in the outbox and say so with `sent`, close TCP once the state is CLOSED and
the outbox empty, and call `lost` when TCP is gone.
"""

from .frames import close_payload, const, parse_close, put_header, put_text, scan, unmask, utf8
from .log import ERROR, WARNING, traceback
from .outbox import Outbox
from .reader import Reader

_TEXT = const(1)
_BINARY = const(2)
_CLOSE = const(8)
_PING = const(9)
_PONG = const(10)
_NORMAL = const(1000)
_ABNORMAL = const(1006)
_INVALID_DATA = const(1007)
_INTERNAL_ERROR = const(1011)
_TRY_AGAIN_LATER = const(1013)
_MAX_HEADER = const(10)

OPEN = const(0)
CLOSING = const(
    1
)  # our Close is sent, the peer's is awaited; its messages are no longer delivered
FAILED = const(2)  # the same after an error of the peer, which gets less time
CLOSED = const(3)  # nothing more to receive; TCP is closed when the outbox is empty

# Up to this many characters a text is written straight from the str, without an encoded copy on
# the heap.
_SHORT = const(64)


class Route:
    """An endpoint and what the server was told about it, with its callbacks looked up once."""

    def __init__(self, endpoint, subprotocols=(), origins=None, overflow="close"):
        if isinstance(subprotocols, str) or isinstance(origins, str):
            raise ValueError("subprotocols and origins are tuples or lists of str")
        if overflow not in ("close", "drop"):
            raise ValueError("overflow must be 'close' or 'drop', not %r" % (overflow,))
        self.subprotocols = subprotocols
        self.origins = origins
        self.drops = overflow == "drop"
        for name in ("open", "message", "chunk", "close", "ping", "pong", "drain"):
            setattr(self, name, getattr(endpoint, "on_" + name, None))
        if self.message and self.chunk:
            raise ValueError("an endpoint has on_message or on_chunk, not both")


class Protocol(Outbox):
    """The state machine of one connection. `self` is what the endpoint's callbacks get as their
    client.
    """

    def __init__(self, route: Route, stock):
        super().__init__(stock)
        self.route = route
        self.state = OPEN
        # True while the next byte starts a frame of a new message, for on_message, in state OPEN:
        # the fast road is open.
        self.plain = route.message is not None
        self.reader = None
        self.close_code = _ABNORMAL
        self.close_reason = ""
        self.pongs = 0

    def receive(self, buf: bytearray, view: memoryview, pos: int, end: int) -> None:
        """Process buf[pos:end], bytes just read from the peer. They are overwritten; `view` is a
        memoryview of `buf`.
        """
        message = self.route.message
        limit = self.stock.max_size
        stuck = -1
        while pos < end:
            try:
                while pos < end:
                    found = self.plain and scan(buf, pos, end, limit)
                    if found:
                        length = found >> 2
                        start = pos + (6 if length < 126 else 8)
                        pos = start + length
                        beyond_ascii = unmask(buf, start, pos, buf, start - 4)
                        if found & _BINARY:
                            message(self, bytes(view[start:pos]))
                        elif beyond_ascii and utf8(buf, start, pos, 0):
                            self.fail(_INVALID_DATA, "text is not UTF-8")
                        else:
                            message(self, str(view[start:pos], "utf-8"))
                    elif self.state == CLOSED:
                        return
                    else:
                        if self.reader is None:
                            self.reader = Reader(self)
                        reader = self.reader
                        pos = reader.feed(buf, pos, end)
                        reader.act(view)
            except Exception as error:
                # The application's, or there is no memory: it costs this client only.
                self.crash(error)
                if pos == stuck:  # no memory even to skip what is there
                    self.state = CLOSED
                    return
                stuck = pos

    def send(self, message) -> bool:
        """Queue a message: a str as text; bytes, bytearray or memoryview as binary.

        False when it was not queued: the connection is closing, or the send buffer is full and the
        endpoint's `overflow` is "drop" (with "close", the client is also closed with 1013).
        TypeError for anything else than the types above.
        """
        if self.state:
            return False
        if isinstance(message, str):
            chars = len(message)
            if chars <= _SHORT:
                most = 4 * chars + 4
                limit = self.stock.write_limit
                if self.out is not None and self.out_end + most <= limit or self.room(most, limit):
                    self.out_end = put_text(self.out, self.out_end, message, chars)
                    return True
            return self._send_data(_TEXT, message.encode())
        if not isinstance(message, (bytes, bytearray, memoryview)):
            raise TypeError("send() takes str or bytes, not %s" % type(message).__name__)
        return self._send_data(_BINARY, message)

    def _send_data(self, opcode, data):
        length = len(data)
        header = 2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER
        if self.room(header + length, self.stock.write_limit):
            self._put_frame(opcode, data)
            return True
        return self._overflow(header + length)

    def send_frame(self, frame) -> bool:
        """As `send`, with a message that `frames.encode` has made a frame of: for one that goes to
        many.
        """
        if self.state:
            return False
        if self.room(len(frame), self.stock.write_limit):
            self.put(frame)
            return True
        return self._overflow(len(frame))

    def _overflow(self, size) -> bool:
        """Do what the endpoint chose for a frame of `size` bytes that finds no room."""
        limit = self.stock.write_limit
        if size > limit:
            text = "a message of %d bytes can never be sent: raise write_limit, now %d"
            self.stock.log(WARNING, text % (size, limit))
        if not self.route.drops:
            self.fail(_TRY_AGAIN_LATER, "send buffer full")
        return False

    def _put_frame(self, opcode, data):
        self.out_end = put_header(self.out, self.out_end, opcode, len(data))
        self.put(data)

    def _send_control(self, opcode, data):
        # Beyond write_limit there is room for a Close and one more; a Pong that finds none is not
        # owed any more.
        extra = 262 if opcode == _CLOSE else 131
        if self.room(len(data) + 2, self.stock.write_limit + extra):
            self._put_frame(opcode, data)
            return True
        return False

    def ping(self, data=b"") -> bool:
        """Send a Ping with at most 125 bytes of `data`. False when closing, or when the send
        buffer is full.
        """
        return self._ping_pong(_PING, data)

    def pong(self, data=b"") -> bool:
        """Send a Pong: only needed by an endpoint that has on_ping, where it is not sent by
        itself.
        """
        return self._ping_pong(_PONG, data)

    def _ping_pong(self, opcode, data):
        if isinstance(data, str):
            data = data.encode()
        if len(data) > 125:
            raise ValueError("ping and pong carry at most 125 bytes, not %d" % len(data))
        return not self.state and self._send_control(opcode, data)

    def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Start the closing handshake; on_close follows. Does nothing when that has begun already.

        ValueError: a code that may not be sent (RFC 6455, section 7.4), or a reason of over 123
        bytes of UTF-8.
        """
        payload = close_payload(code, reason)
        if self.state == OPEN:
            self._close(CLOSING, payload, reason)

    def fail(self, code: int, reason: str) -> None:
        """Close because of an error: as `close`, with less patience (RFC 6455, section 7.1.7)."""
        if self.state == OPEN:
            self._close(FAILED, close_payload(code, reason), reason)

    def _close(self, state, payload, reason):
        self.plain = False
        self.state = state
        self.close_reason = reason
        self._send_control(_CLOSE, payload)

    def crash(self, error: Exception) -> None:
        """Report an exception of the application and close this client with 1011."""
        self.stock.log(ERROR, traceback(error))
        self.fail(_INTERNAL_ERROR, "internal error")

    def call(self, callback, *args) -> None:
        """Call one of the endpoint's callbacks, if it has it, with self as its first argument."""
        if callback:
            try:
                callback(self, *args)
            except Exception as error:
                self.crash(error)

    def control(self, opcode: int, payload) -> None:
        """Act on a whole control frame; `payload` is a memoryview (Reader calls this)."""
        if opcode == _CLOSE:
            self._closed_by_peer(payload)
        elif self.state == OPEN:
            data = bytes(payload)
            if opcode == _PONG:
                self.pongs += 1
                self.call(self.route.pong, data)
            elif self.route.ping:
                self.call(self.route.ping, data)
            else:
                self._send_control(_PONG, data)

    def _closed_by_peer(self, payload):
        code, reason = parse_close(payload)
        if code < 0 or len(payload) > 125:
            self.fail(-code, reason)
        else:
            if self.state == OPEN:
                self._close(CLOSING, bytes(payload[:2]), reason)
            self.close_code = code
            self.close_reason = reason or self.close_reason  # of an echoed Close: ours
        self.state = CLOSED

    def drained(self) -> None:
        """All that waited has been handed to TCP: call on_drain."""
        if self.state == OPEN:
            self.call(self.route.drain)

    def lost(self, reason: str = "") -> None:
        """TCP is gone: call on_close, once, with the code and reason that were received, or 1006
        (section 7.1.5).
        """
        self.discard()
        self.plain = False
        self.state = CLOSED
        if self.reader:
            self.reader.discard()
        if self.close_code == _ABNORMAL and not self.close_reason:
            self.close_reason = reason
        on_close, self.route = self.route.close, None
        self.call(on_close, self.close_code, self.close_reason)
