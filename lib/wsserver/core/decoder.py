"""The general frame decoder (RFC 6455, sections 5.2 to 5.5 and 8.1).

`deliver` handles complete, unfragmented data frames. A FrameDecoder handles all others: incomplete
frames, fragments, control frames and violations of the protocol. It belongs to one Protocol and is
created when it is first needed.
"""

from ..lazy import call
from .frames import const, unmask, validate_utf8

_OPEN = const(0)  # states: see core.buffers
_CLOSED = const(3)
_TEXT = const(1)
_CLOSE = const(8)
_PROTOCOL_ERROR = const(1002)
_INVALID_DATA = const(1007)
_TOO_BIG = const(1009)


class FrameDecoder:
    """The state of the message and of the frame that are being received."""

    # Attributes that most decoders never change are defined in the class, which saves memory.
    pos = 0  # in the read buffer: everything before it is processed
    need = 0  # bytes of the incomplete frame with its header; 0 if not yet known
    opcode = 0  # of the message being received: text or binary; 0 between messages
    is_text = False  # of the latest message
    utf8_state = 0  # of the UTF-8 validator, behind the last complete frame
    checked = 0  # payload bytes of the incomplete frame that were validated through the mask
    checked_state: int  # of the UTF-8 validator, behind those
    # A frame whose payload is processed as it arrives:
    remaining = 0  # payload bytes to come
    first_byte: int  # of its header
    key: bytes  # its masking key, twice
    phase: int  # payload bytes processed, modulo 4

    def __init__(self, protocol):
        self.protocol = protocol
        self.frames = 0  # control frames, fragments, and frames for on_chunk: see Limits

    def decode(self, buf: memoryview, end: int) -> bool:
        """Process one frame, or the available part of it, from buf[pos:end].

        Return False if more data is needed. `pos` advances before anything that may raise.
        """
        if self.remaining:
            self._stream(buf, end)
            return True
        pos = self.pos
        self.need = 0
        if end - pos < 2:
            return False
        protocol = self.protocol
        first = buf[pos]
        second = buf[pos + 1]
        if protocol._state == _OPEN and not self._is_valid(first, second):
            error = call(".core.errors", "bad_header", first, second)
            protocol._fail(_PROTOCOL_ERROR, error)
        length = second & 0x7F
        start = pos + (2 if length < 126 else 4 if length == 126 else 10)
        if end < start:
            return False
        if length > 125:
            length = int.from_bytes(buf[pos + 2 : start], "big")
        if protocol._state == _OPEN:
            self._check_length(first, second & 0x7F, length)
        if second & 0x80:
            start += 4
        self.need = start + length - pos
        if end < start:
            return False
        if first & 8 and length < 126:
            return self._control(buf, start, start + length, end, second & 0x80)
        if protocol._state == _OPEN and protocol._route.message:
            return self._collect(buf, start, start + length, end, first)
        # The payload is processed, or skipped, as it arrives.
        self.key = bytes(buf[start - 4 : start]) * 2 if second & 0x80 else bytes(8)
        self.phase = 0
        self.first_byte = first
        self.remaining = length
        self.pos = start
        self.frames += 1
        if protocol._state == _OPEN:
            self._start_message(first)
        self._stream(buf, end)
        return True

    def look_ahead(self, buf: memoryview, end: int, need: int) -> bool:
        """Do the same as decode() for a frame of `need` bytes that is incomplete, but valid."""
        self.need = need
        pos = self.pos
        if buf[pos] & 0x0F != _TEXT:
            return False
        return self._validate(buf, pos + (6 if buf[pos + 1] < 0xFE else 8), end, buf[pos])

    def _is_valid(self, first, second):
        """Return whether the first two bytes of a header may follow what was received before."""
        opcode = first & 0x0F
        if first & 0x70 or second < 0x80:
            return False
        if opcode & 8:
            return opcode < 11 and first > 0x7F and second < 0xFE
        return opcode < 3 and (opcode == 0) == (self.opcode != 0)

    def _check_length(self, first, size, length):
        # Section 5.2: "the minimal number of bytes MUST be used to encode the length".
        if size == 126 and length < 126 or size == 127 and (length < 0x10000 or length >> 63):
            error = call(".core.errors", "bad_length", length)
            self.protocol._fail(_PROTOCOL_ERROR, error)
        elif not first & 8:
            limit = self.protocol._pool.max_size
            if self.protocol._route.message and self.protocol._in_start + length > limit:
                self.protocol._fail(_TOO_BIG, "message over %d bytes" % limit)

    def _control(self, buf, start, stop, end, masked):
        if end < stop:
            return False
        if masked:  # otherwise the connection has failed, and only a Close matters
            unmask(buf, start, stop, buf, start - 4)
        opcode = buf[self.pos] & 0x0F
        self.pos = stop
        self.frames += 1
        # A slice allocates memory, which the empty Pong that answers our Ping must not.
        self.protocol._on_control(opcode, buf[start:stop] if start < stop else b"")
        return True

    def _start_message(self, first):
        opcode = first & 0x0F
        if opcode:
            self.opcode = opcode
            self.is_text = opcode == _TEXT
            self.utf8_state = 0

    # --- messages that are delivered as a whole

    def _collect(self, buf, start, stop, end, first):
        text = (first & 0x0F or self.opcode) == _TEXT
        if end < stop:
            return text and self._validate(buf, start, end, first)
        self._start_message(first)
        if self.checked:
            self.checked = 0
        self.pos = stop
        beyond_ascii = unmask(buf, start, stop, buf, start - 4)
        if text and (beyond_ascii or self.utf8_state):
            self.utf8_state = validate_utf8(buf, start, stop, self.utf8_state, 0)
        protocol = self.protocol
        final = first & 0x80
        if self.utf8_state < 0 or final and self.utf8_state:
            protocol._fail(_INVALID_DATA, "text is not UTF-8")
        elif final and not protocol._in_start:
            self._deliver(buf[start:stop], stop == end)
        else:
            protocol._store(buf[start:stop])
            if final:
                data = protocol._inbox[: protocol._in_start]
                protocol._in_start = 0
                self._deliver(data, stop == end)
            else:
                self.frames += 1
                protocol._plain = None
        return True

    def _validate(self, buf, start, end, first):
        """Validate the available part of a text; return True if it is not UTF-8."""
        if not self.checked:
            self.checked_state = 0 if first & 0x0F else self.utf8_state
        self.checked_state = validate_utf8(
            buf, start + self.checked, end, self.checked_state, start
        )
        self.checked = end - start
        if self.checked_state < 0:
            self.protocol._fail(_INVALID_DATA, "text is not UTF-8")
            return True
        return False

    def _deliver(self, data, last):
        protocol = self.protocol
        self.opcode = 0
        protocol._plain = protocol._route.message
        message = str(data, "utf-8") if self.is_text else bytes(data)
        if last:
            protocol._free_inbox()
        protocol._messages += 1
        protocol._route.message(protocol, message)

    # --- frames whose payload is processed, or skipped, as it arrives

    def _stream(self, buf, end):
        start = self.pos
        stop = min(end, start + self.remaining)
        self.pos = stop
        self.remaining -= stop - start
        protocol = self.protocol
        if protocol._state == _OPEN:
            beyond_ascii = unmask(buf, start, stop, self.key, self.phase)
            self.phase = (self.phase + stop - start) & 3
            if self.is_text and (beyond_ascii or self.utf8_state):
                self.utf8_state = validate_utf8(buf, start, stop, self.utf8_state, 0)
            final = self.first_byte & 0x80 and not self.remaining
            if final:
                self.opcode = 0
            if self.utf8_state < 0 or final and self.utf8_state:
                protocol._fail(_INVALID_DATA, "text is not UTF-8")
            elif protocol._route.chunk and (final or stop > start):
                protocol._route.chunk(protocol, buf[start:stop], bool(final))
        elif not self.remaining and self.first_byte & 0x0F == _CLOSE:
            protocol._state = _CLOSED  # a Close of more than 125 bytes
