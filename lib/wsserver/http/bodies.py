"""The framing of request bodies (RFC 9112, sections 6 and 7), without I/O.

It is strict, because a proxy and a server that disagree about where a request ends can be made to
disagree about its meaning (request smuggling).
"""

from wsserver.core.frames import const

from .request import HTTPError, malformed

_MAX_DIGITS = const(15)  # of a length
_MAX_EXTRA = const(512)  # bytes of all chunk extensions and trailers (RFC 9112, section 7.1.1)

# What comes next: content, the digits of a chunk's size, ...
_CONTENT = const(0)
_SIZE = const(1)
_EXTENSION = const(2)
_SIZE_LF = const(3)
_CONTENT_CR = const(4)
_CONTENT_LF = const(5)
_TRAILER = const(6)  # the first byte of a line
_TRAILER_REST = const(7)
_TRAILER_LF = const(8)
_LAST_LF = const(9)


class Body:
    """The state of a body that is being received.

    done: whether it is complete. size: bytes of content so far. limit: the most bytes of content,
    or None. is_chunked: whether its length is not known in advance.
    """

    def __init__(self, request, limit):
        headers = request.headers
        length = headers.get("content-length", "0")
        self.limit = limit
        self.size = 0
        self._state = _CONTENT
        self._left = 0  # bytes of the content, or of the chunk
        self._digits = self._extra = 0
        self.is_chunked = "transfer-encoding" in headers
        if self.is_chunked:
            _check_coding(request)
            self._state = _SIZE
        elif not length.isdigit() or len(length) > _MAX_DIGITS:
            raise malformed("Content-Length")
        else:
            self._left = int(length)
            self._check_size()
        self.done = not self._left and not self.is_chunked

    def next(self, buf, pos: int, end: int, most: int = 1 << 29) -> tuple:
        """Return (start, stop, after): buf[start:stop] is content, at most `most` bytes of it.

        buf[pos:end] is what was received; `after` is the position behind the bytes that were used.
        Without content, more must be received. Raises HTTPError 400 or 413.
        """
        while pos < end and not self.done:
            if self._state != _CONTENT:
                self._parse(buf[pos])
                pos += 1
                continue
            stop = pos + min(self._left, end - pos, most)
            self._left -= stop - pos
            self.size += stop - pos
            if not self._left:
                self._state = _CONTENT_CR
                self.done = not self.is_chunked
            return pos, stop, stop
        return pos, pos, pos

    def _check_size(self):
        if self.limit is not None and self.size + self._left > self.limit:
            raise HTTPError(413, "the body is over %d bytes (max_body)" % self.limit)

    def _parse(self, byte):
        """Process a byte of a chunked body that is not content.

        Raises HTTPError 400 or 413.
        """
        state = self._state
        if state == _SIZE:
            digit = _hex(byte)
            if digit >= 0 and self._digits < _MAX_DIGITS:
                self._left = self._left << 4 | digit
                self._digits += 1
                return
            if not self._digits or byte not in b"\r;":
                raise malformed("a chunk size")
            self._state = _SIZE_LF if byte == 13 else _EXTENSION
        elif state in (_EXTENSION, _TRAILER, _TRAILER_REST):
            self._parse_extra(state, byte)
        elif byte != (13 if state == _CONTENT_CR else 10):
            raise malformed("a chunk")
        elif state == _SIZE_LF:
            self._check_size()
            self._state = _CONTENT if self._left else _TRAILER
        elif state == _CONTENT_LF:
            self._digits = 0
            self._state = _SIZE
        else:  # _CONTENT_CR, _TRAILER_LF or _LAST_LF
            self.done = state == _LAST_LF
            self._state = _CONTENT_LF if state == _CONTENT_CR else _TRAILER

    def _parse_extra(self, state, byte):
        """Skip the extension of a chunk, or a trailer."""
        self._extra += 1
        if byte == 13:
            self._state = {_EXTENSION: _SIZE_LF, _TRAILER: _LAST_LF}.get(state, _TRAILER_LF)
            return
        if byte < 32 and byte != 9 or self._extra > _MAX_EXTRA:
            raise malformed("a chunk extension or trailer")
        if state == _TRAILER:
            if byte <= 32:  # a folded line
                raise malformed("a trailer")
            self._state = _TRAILER_REST


def _hex(byte):
    """Return the value of a hexadecimal digit, or -1."""
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 32
    return byte - 87 if 97 <= byte <= 102 else -1


def _check_coding(request):
    """Check the Transfer-Encoding of a request (RFC 9112, section 6.1 and 6.3).

    Raises HTTPError 400 or 501.
    """
    codings = [coding.lower() for coding in request.tokens("transfer-encoding")]
    if "content-length" in request.headers or request.is_1_0:
        raise HTTPError(400, "Transfer-Encoding with Content-Length or HTTP/1.0")
    if codings[-1] != "chunked":
        raise malformed("Transfer-Encoding")
    if len(codings) > 1:
        raise HTTPError(501, "use Transfer-Encoding: chunked")
