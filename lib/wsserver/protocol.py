"""One WebSocket connection after its handshake (RFC 6455, sections 5 to 7): bytes in -> callbacks,
bytes out -> its outbox.

Pure: sees no socket and no clock. What a server has to do with it: read into the inbox, where
there is one, and else into any buffer; call `receive` with it; write what is in the outbox; close
TCP once the state is CLOSED and the outbox empty; and call `lost` when TCP is gone.
"""

from .close import close_payload, parse_close
from .frames import const, deliver, encoded, put_header, send
from .log import ERROR, WARNING, traceback
from .outbox import CLOSED, CLOSING, FAILED, OPEN, Outbox
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

# Module globals are found much faster than built-ins, of which there are a hundred.
isinstance = isinstance
str = str
len = len
_BYTES = (bytes, bytearray, memoryview)


class Protocol(Outbox):
    """The state machine of one connection. `self` is what the endpoint's callbacks get as their
    client.
    """

    reader = None  # made when it is needed
    close_code = _ABNORMAL
    close_reason = ""
    pongs = 0
    messages = 0  # whole ones that were delivered
    tail = b""  # the beginning of a frame, where the whole of it fits what is read at once
    # Else: inbox[:in_start] are the fragments of a message so far, [in_start:in_end] what there is
    # of the next frame.
    in_start = 0
    in_end = 0

    def __init__(self, route, stock):
        super().__init__(stock)
        self.route = route
        self.state = OPEN
        # True while the next byte starts a frame of a new message, for on_message, in state OPEN:
        # the fast road is open.
        self.plain = route.message is not None

    def receive(self, buf: memoryview, pos: int, end: int) -> None:
        """Process buf[pos:end], just read from the peer, and overwrite it.

        When there is an inbox, that is what must have been read into, from in_end on, and is
        given here from in_start on. Else the tail must have been put before what was read.
        """
        message = self.route.message
        limit = self.stock.max_size
        progress = self.stock.progress
        progress[0] = pos
        progress[1] = 0
        reader = self.reader
        stuck = -1
        while True:
            try:
                while True:
                    found = 0
                    if self.plain:
                        found = deliver(pos, end, limit, buf, self, message, progress)
                        pos = progress[0]
                        if found < 0:
                            self.fail(_INVALID_DATA, "text is not UTF-8")
                            found = 0
                        elif progress[1] and reader:
                            reader.checked = 0  # what was looked at before it was whole
                    if pos == end or self.state == CLOSED:
                        pos = end
                        break
                    reader = self.reader = self.reader or Reader(self)
                    reader.pos = pos
                    more = reader.wait(buf, end, found) if found else reader.step(buf, end)
                    pos = reader.pos
                    if not more:
                        break
                if progress[1]:
                    self.messages += progress[1]
                if pos < end or self.inbox is not None:
                    self._keep(buf, pos, end)
                return
            except Exception as error:
                # The application's, or there is no memory: it costs this client only.
                self.crash(error)
                if progress[0] > pos:
                    pos = progress[0]
                if reader and reader.pos > pos:
                    pos = reader.pos
                if pos == stuck:  # no memory even to skip what is there
                    self.state = CLOSED
                    return
                stuck = pos

    def store(self, data) -> None:
        """Append the payload of a fragment to those before it (Reader calls this)."""
        if self.inbox is None:
            self.inbox = self.stock.take()
        end = self.in_start + len(data)
        self.inbox[self.in_start : end] = data
        self.in_start = end

    def _keep(self, buf, pos, end):
        """Put buf[pos:end] aside until more arrives, or return the inbox that is not needed."""
        if self.state:
            self.in_start = 0  # nobody waits for the message
        start = self.in_start
        if start or pos < end and self.reader.need > self.stock.read_size:
            if self.inbox is None:
                self.inbox = self.stock.take()
            self.in_end = start + end - pos
            if buf is not self.inbox or pos != start:
                self.inbox[start : self.in_end] = buf[pos:end]
        else:
            if pos < end:
                self.tail = bytearray(buf[pos:end])  # bytes would be hashed
            if self.inbox is not None:
                self.free_inbox()

    def free_inbox(self) -> None:
        """Return the buffer, as soon as all in it is used: the answer may need one."""
        if self.inbox is not None:
            self.stock.give(self.inbox)
            self.inbox = None

    send = send

    def send_other(self, message) -> bool:
        """As `send`, for what that leaves to be done here: long messages and unusual types."""
        if isinstance(message, str):
            opcode = _TEXT
            message = encoded(message)  # type: ignore[arg-type]
        elif isinstance(message, _BYTES):
            opcode = _BINARY
        else:
            raise TypeError("send() takes str or bytes, not %s" % type(message).__name__)
        length = len(message)
        size = length + (2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER)
        if not self.make_room(size):
            return False
        start = put_header(self.out, self.out_end, opcode, length)
        self.out_end = end = start + length
        self.out[start:end] = message
        return True

    def send_frame(self, frame) -> bool:
        """As `send`, with a message that `frames.encode` has made a frame of: for one that goes to
        many.
        """
        if not self.make_room(len(frame)):
            return False
        self.put(frame)
        return True

    def make_room(self, size: int) -> bool:
        """See to it that a message's frame of `size` bytes can be put behind out_end. False: it is
        not to be sent, and what the endpoint chose for one that finds no room has been done.
        """
        if self.state:
            return False
        limit = self.stock.write_limit
        if self.room(size, limit):
            return True
        if size > limit:
            text = "a message of %d bytes can never be sent: raise write_limit, now %d"
            self.stock.log(WARNING, text % (size, limit))
        if not self.route.drops:
            self.fail(_TRY_AGAIN_LATER, "send buffer full")
        return False

    def _send_control(self, opcode, data):
        # Beyond write_limit there is room for a Close and one more; a Pong that finds none is not
        # owed any more.
        extra = 262 if opcode == _CLOSE else 131
        if self.room(len(data) + 2, self.stock.write_limit + extra):
            self.out_end = put_header(self.out, self.out_end, opcode, len(data))
            self.put(data)
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
        self.out_limit = 0

    def crash(self, error: Exception) -> None:
        """Report an exception of the application and close this client with 1011."""
        try:
            self.stock.log(ERROR, traceback(error))
        except MemoryError:
            pass  # nothing can be said
        self.fail(_INTERNAL_ERROR, "internal error")

    def call(self, name: str, *args) -> None:
        """Call the endpoint's on_`name`, if it has it, with self as its first argument."""
        callback = getattr(self.route, name)
        if callback:
            timed = self.stock.timed
            try:
                if timed:
                    timed(callback, name, self, args)
                else:
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
                self.call("pong", data)
            elif self.route.ping:
                self.call("ping", data)
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

    def hear_end(self) -> bool:
        """The peer sends no more. False: then there is nothing to be done for it."""
        return False

    def drained(self) -> None:
        """All that waited has been handed to TCP: call on_drain."""
        if self.route.drain and self.state == OPEN:
            self.call("drain")

    def lost(self, reason: str = "") -> None:
        """TCP is gone: call on_close, once, with the code and reason that were received, or 1006
        (section 7.1.5).
        """
        self.discard()
        self.plain = False
        self.state = CLOSED
        self.free_inbox()
        if self.close_code == _ABNORMAL and not self.close_reason:
            self.close_reason = reason
        self.call("close", self.close_code, self.close_reason)
        self.route = None
