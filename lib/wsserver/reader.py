"""The slow road for incoming frames: those that have not arrived whole, are fragmented, are
control frames, or break a rule.

A Reader belongs to one Protocol and is made when first needed. Pure, like `protocol`. RFC 6455:
section 5.2 for the header, 5.4 for fragments, 5.5 for control frames, 8.1 for UTF-8.
"""

from .frames import const, unmask, utf8
from .outbox import CLOSED, OPEN

_TEXT = const(1)
_CLOSE = const(8)
_PROTOCOL_ERROR = const(1002)
_INVALID_DATA = const(1007)
_TOO_BIG = const(1009)


class Reader:
    """What is known of the message under way and of the frame that has not arrived whole."""

    # What most readers never change stays in the class, and costs them nothing.
    pos = 0  # in the read buffer: what is before it is used up
    need = 0  # bytes of the frame that has to wait, with its header; 0: not known yet
    kind = 0  # opcode: text or binary, while a message is under way
    text = False  # whether the latest message is a text
    decoder = 0  # state of the UTF-8 decoder behind the last whole frame
    checked = 0  # bytes of the next frame's payload that were looked at through the mask
    ahead = 0  # state of the UTF-8 decoder behind those
    # A frame that is not collected but used as it comes:
    left = 0  # payload bytes still to come
    first = 0  # its first byte
    key = b""  # its masking key, twice
    phase = 0  # payload bytes so far, modulo 4

    def __init__(self, protocol):
        self.protocol = protocol

    def step(self, buf: memoryview, end: int) -> bool:
        """Take one frame, or what may be used of it, from buf[pos:end], and do what it asks for.
        False: it has to wait for more.

        Moves `pos` before it calls what may raise.
        """
        if self.left:
            self._stream(buf, end)
            return True
        pos = self.pos
        self.need = 0
        if end - pos < 2:
            return False
        protocol = self.protocol
        first = buf[pos]
        second = buf[pos + 1]
        if protocol.state == OPEN:
            self._check(self._fault(first, second))
        length = second & 0x7F
        start = pos + (2 if length < 126 else 4 if length == 126 else 10)
        if end < start:
            return False
        if length > 125:
            length = int.from_bytes(buf[pos + 2 : start], "big")
        if protocol.state == OPEN:
            self._check_length(first, second & 0x7F, length)
        if second & 0x80:
            start += 4
        self.need = start + length - pos
        if end < start:
            return False
        if first & 8 and length < 126:
            return self._control(buf, start, start + length, end, second & 0x80)
        if protocol.state == OPEN and protocol.route.message:
            return self._collect(buf, start, start + length, end, first)
        return self._begin(buf, start, end, first, second & 0x80, length)

    def wait(self, buf: memoryview, end: int, need: int) -> bool:
        """As step(), for a frame of `need` bytes in all that is common but for its missing end."""
        self.need = need
        pos = self.pos
        if buf[pos] & 0x0F != _TEXT:
            return False
        return self._look_ahead(buf, pos + (6 if buf[pos + 1] < 0xFE else 8), end, buf[pos])

    def _fault(self, first, second):
        """What is wrong with the first two bytes of a header, or None."""
        opcode = first & 0x0F
        if first & 0x70:
            return "reserved bit set"
        if 2 < opcode < 8 or opcode > 10:
            return "reserved opcode"
        if second < 0x80:
            return "frame is not masked"
        if opcode & 8:
            if first < 0x80:
                return "fragmented control frame"
            if second > 0xFD:
                return "control frame over 125 bytes"
        elif opcode == 0 and not self.kind:
            return "nothing to continue"
        elif opcode and self.kind:
            return "fragment expected"

    def _check(self, fault):
        if fault:
            self.protocol.fail(_PROTOCOL_ERROR, fault)

    def _check_length(self, first, short, length):
        if short == 126 and length < 126 or short == 127 and length < 0x10000:
            self._check("length not in its shortest form")
        elif length >> 63:
            self._check("length over 63 bits")
        elif not first & 8:
            limit = self.protocol.stock.max_size
            if self.protocol.route.message and self.protocol.in_start + length > limit:
                self.protocol.fail(_TOO_BIG, "message over %d bytes" % limit)

    def _control(self, buf, start, stop, end, masked):
        if end < stop:
            return False
        if masked:  # if not, an error has been found before, and only a Close is of interest
            unmask(buf, start, stop, buf, start - 4)
        opcode = buf[self.pos] & 0x0F
        self.pos = stop
        self.protocol.control(opcode, buf[start:stop])
        return True

    def _start_message(self, first):
        opcode = first & 0x0F
        if opcode:
            self.kind = opcode
            self.text = opcode == _TEXT
            self.decoder = 0

    # --- messages that are collected

    def _collect(self, buf, start, stop, end, first):
        text = (first & 0x0F or self.kind) == _TEXT
        if end < stop:
            return text and self._look_ahead(buf, start, end, first)
        self._start_message(first)
        if self.checked:
            self.checked = 0
        self.pos = stop
        beyond_ascii = unmask(buf, start, stop, buf, start - 4)
        if text and (beyond_ascii or self.decoder):
            self.decoder = utf8(buf, start, stop, self.decoder, 0)
        protocol = self.protocol
        final = first & 0x80
        if self.decoder < 0 or final and self.decoder:
            protocol.fail(_INVALID_DATA, "text is not UTF-8")
        elif final and not protocol.in_start:
            self._deliver(buf[start:stop], stop == end)
        else:
            protocol.store(buf[start:stop])
            if final:
                data = protocol.inbox[: protocol.in_start]
                protocol.in_start = 0
                self._deliver(data, stop == end)
            else:
                protocol.plain = False
        return True

    def _look_ahead(self, buf, start, end, first):
        """Find out early whether a text is not UTF-8. False, unless that is so."""
        if not self.checked:
            self.ahead = 0 if first & 0x0F else self.decoder
        self.ahead = utf8(buf, start + self.checked, end, self.ahead, start)
        self.checked = end - start
        if self.ahead < 0:
            self.protocol.fail(_INVALID_DATA, "text is not UTF-8")
            return True
        return False

    def _deliver(self, data, last):
        protocol = self.protocol
        self.kind = 0
        protocol.plain = True
        message = str(data, "utf-8") if self.text else bytes(data)
        if last:
            protocol.free_inbox()
        protocol.messages += 1
        protocol.route.message(protocol, message)

    # --- frames that are used, or skipped, as they come

    def _begin(self, buf, start, end, first, masked, length):
        self.key = bytes(buf[start - 4 : start]) * 2 if masked else bytes(8)
        self.phase = 0
        self.first = first
        self.left = length
        self.pos = start
        if self.protocol.state == OPEN:
            self._start_message(first)
        self._stream(buf, end)
        return True

    def _stream(self, buf, end):
        start = self.pos
        stop = min(end, start + self.left)
        self.pos = stop
        self.left -= stop - start
        protocol = self.protocol
        if protocol.state == OPEN:
            beyond_ascii = unmask(buf, start, stop, self.key, self.phase)
            self.phase = (self.phase + stop - start) & 3
            if self.text and (beyond_ascii or self.decoder):
                self.decoder = utf8(buf, start, stop, self.decoder, 0)
            final = self.first & 0x80 and not self.left
            if final:
                self.kind = 0
            if self.decoder < 0 or final and self.decoder:
                protocol.fail(_INVALID_DATA, "text is not UTF-8")
            elif protocol.route.chunk and (final or stop > start):
                protocol.route.chunk(protocol, buf[start:stop], bool(final))
        elif not self.left and self.first & 0x0F == _CLOSE:
            protocol.state = CLOSED  # a Close of more than 125 bytes
