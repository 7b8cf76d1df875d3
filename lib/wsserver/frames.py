"""WebSocket frames, RFC 6455 section 5: opcodes, headers, close payloads, and the inner loops that
touch payloads.

Pure: bytes in, bytes out. `take`, `unmask`, `utf8` and `put_short` come from `native` where the
interpreter can compile native code and from `portable` elsewhere.
"""

try:
    from .native import put_short, take, unmask, utf8
except (
    ImportError,
    AttributeError,
    SyntaxError,
    ValueError,
):  # CPython, or a CPU without native code
    from .portable import put_short, take, unmask, utf8

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# const() makes numbers of these names, which then cost nothing, but in this module only. So each
# module names those that it uses: opcodes are of RFC 6455, section 5.2, close codes of 7.4.1.
_TEXT = const(1)
_BINARY = const(2)
_PROTOCOL_ERROR = const(1002)
_NO_STATUS = const(1005)
_INVALID_DATA = const(1007)
# The longest header that a server sends: it never masks.
_MAX_HEADER = const(10)


def put_header(out, pos: int, opcode: int, length: int) -> int:
    """Write the header of a final, unmasked frame at out[pos]; returns the position behind it."""
    out[pos] = 0x80 | opcode
    if length < 126:
        out[pos + 1] = length
        return pos + 2
    if length < 0x10000:
        out[pos + 1] = 126
        out[pos + 2] = length >> 8
        out[pos + 3] = length & 0xFF
        return pos + 4
    out[pos + 1] = 127
    out[pos + 2 : pos + _MAX_HEADER] = length.to_bytes(8, "big")
    return pos + _MAX_HEADER


def encode(message) -> bytearray:
    """The whole frame of `message`: a str makes a text frame, anything bytes-like a binary one."""
    opcode = _BINARY
    if isinstance(message, str):
        opcode = _TEXT
        message = message.encode()
    length = len(message)
    frame = bytearray(length + (2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER))
    start = put_header(frame, 0, opcode, length)
    frame[start:] = message
    return frame


def is_close_code(code: int) -> bool:
    """Whether an endpoint may put `code` into a Close frame (RFC 6455, section 7.4)."""
    return 1000 <= code <= 1014 and not 1004 <= code <= 1006 or 3000 <= code <= 4999


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a Close frame. ValueError: `code` may not be sent, or `reason` is over 123
    bytes of UTF-8.
    """
    if code == _NO_STATUS and not reason:
        return b""
    if not is_close_code(code):
        raise ValueError("close code %d may not be sent: use 1000, 1001 or 3000 to 4999" % code)
    data = reason.encode()
    if len(data) > 123:
        raise ValueError("close reason is %d bytes long, at most 123 fit" % len(data))
    return bytes((code >> 8, code & 0xFF)) + data


def parse_close(payload):
    """The (code, reason) of a received Close payload. A negative code is the one to fail the
    connection with.
    """
    length = len(payload)
    if length == 0:
        return _NO_STATUS, ""
    code = payload[0] << 8 | payload[1] if length > 1 else 0
    if not is_close_code(code):
        return -_PROTOCOL_ERROR, "invalid close code"
    if utf8(payload, 2, length, 0, 0):
        return -_INVALID_DATA, "close reason is not UTF-8"
    return code, str(payload[2:], "utf-8")
