"""The slow road for incoming frames: those that arrive in parts, are fragmented, are control
frames, or break a rule.

A Reader belongs to one Protocol, is made when first needed, and takes bytes cut at any place.
Pure, like `protocol`. RFC 6455: section 5.2 for the header, 5.4 for fragments, 5.5 for control
frames, 8.1 for UTF-8.
"""

from .frames import const, unmask, utf8

_TEXT = const(1)
_PROTOCOL_ERROR = const(1002)
_INVALID_DATA = const(1007)
_TOO_BIG = const(1009)

_OPEN = const(0)  # protocol.OPEN, which imports this module


class Reader:
    """What has been received of the current frame and of the message that it belongs to."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.head = bytearray(14)  # the header as far as it has arrived
        self.have = 0  # bytes in head
        self.need = 2  # bytes that the header has in all, as far as is known
        self.key = bytearray(8)  # the masking key, twice
        self.phase = 0  # payload bytes so far, modulo 4
        self.left = -1  # payload bytes still to come; -1: the header is not complete
        self.chunk = (0, 0)  # where in the read buffer the payload that came last stands
        self.kind = 0  # opcode: text or binary, while a message is under way
        self.text = False  # whether the latest message is a text
        self.decoder = 0  # state of the UTF-8 decoder
        self.store = None  # holds store[:size], the message so far
        self.size = 0
        self.note = bytearray()  # the control payload so far

    def feed(self, buf: bytearray, pos: int, end: int) -> int:
        """Take bytes of buf[pos:end], up to the end of a frame at most, and unmask them. Returns
        the position behind them.

        `act` must be called next: what it calls may raise, and the bytes are then accounted for
        already.
        """
        self.protocol.plain = False
        if self.left < 0:
            pos = self._take_header(buf, pos, end)
        start = pos
        if self.left > 0:
            pos = min(end, pos + self.left)
            self.left -= pos - start
            self._unmask(buf, start, pos)
        self.chunk = (start, pos)
        return pos

    def act(self, view: memoryview) -> None:
        """Do what the bytes that were just fed ask for: store or deliver them, answer a control
        frame, or fail.
        """
        if self.left < 0:
            return
        chunk = view[self.chunk[0] : self.chunk[1]]
        done = self.left == 0
        if done:
            self.left = -1
            self.have = 0
            self.need = 2
        if self.head[0] & 8:
            self._act_on_control(chunk, done)
        elif self.protocol.state == _OPEN:
            self._act_on_data(chunk, done and self.head[0] & 0x80)
        if done and self.protocol.state == _OPEN:
            self.protocol.plain = self.kind == 0 and self.protocol.route.message is not None

    def _take_header(self, buf, pos, end):
        head = self.head
        while self.have < self.need and pos < end:
            head[self.have] = buf[pos]
            self.have += 1
            pos += 1
            if self.have == 2:
                short = head[1] & 0x7F
                self.need = (
                    2 + (2 if short == 126 else 8 if short == 127 else 0) + (head[1] >> 7) * 4
                )
                if self.protocol.state == _OPEN:
                    self._check(self._fault(head[0], head[1]))
        if self.have == self.need:
            self._start_frame()
        return pos

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

    def _start_frame(self):
        head = self.head
        short = head[1] & 0x7F
        at = 2
        length = short
        if short > 125:
            at = 4 if short == 126 else 10
            length = int.from_bytes(head[2:at], "big")
        if head[1] & 0x80:
            self.key[:4] = self.key[4:] = head[at : at + 4]
        else:
            self.key[:] = bytes(8)
        self.phase = 0
        self.left = length
        if self.protocol.state == _OPEN:
            self._check_length(short, length)

    def _check_length(self, short, length):
        if short == 126 and length < 126 or short == 127 and length < 0x10000:
            self._check("length not in its shortest form")
        elif length >> 63:
            self._check("length over 63 bits")
        elif not self.head[0] & 8:
            opcode = self.head[0] & 0x0F
            if opcode:
                self.kind = opcode
                self.text = opcode == _TEXT
                self.size = self.decoder = 0
            limit = self.protocol.stock.max_size
            if self.protocol.route.message and self.size + length > limit:
                text = "message over %d bytes" % limit
                self.protocol.fail(_TOO_BIG, text)

    def _unmask(self, buf, start, end):
        beyond_ascii = unmask(buf, start, end, self.key, self.phase)
        self.phase = (self.phase + end - start) & 3
        if self.kind == _TEXT and not self.head[0] & 8 and (beyond_ascii or self.decoder):
            self.decoder = utf8(buf, start, end, self.decoder)

    def _act_on_control(self, chunk, done):
        # A peer that broke the rules may send a longer one: what is beyond 125 bytes is of no
        # interest.
        if len(self.note) < 126:
            self.note.extend(chunk)
        if done:
            note = self.note
            self.note = bytearray()
            self.protocol.control(self.head[0] & 0x0F, memoryview(note))

    def _act_on_data(self, chunk, final):
        if self.decoder < 0 or final and self.decoder:
            self.protocol.fail(_INVALID_DATA, "text is not UTF-8")
            return
        route = self.protocol.route
        if final:
            kind, self.kind = self.kind, 0
        if route.chunk:
            if final or len(chunk):
                route.chunk(self.protocol, chunk, bool(final))
        elif route.message:
            self._store(chunk)
            if final:
                self._deliver(kind)

    def _store(self, chunk):
        if self.store is None:
            self.store = self.protocol.stock.take()
        end = self.size + len(chunk)
        self.store[self.size : end] = chunk
        self.size = end

    def _deliver(self, kind):
        data = self.store[: self.size]
        message = str(data, "utf-8") if kind == _TEXT else bytes(data)
        self.discard()
        self.protocol.route.message(self.protocol, message)

    def discard(self) -> None:
        """Return the buffer."""
        if self.store is not None:
            self.protocol.stock.give(self.store)
            self.store = None
        self.size = 0
