"""WebSocket frames, RFC 6455 section 5: headers, and the inner loops that touch payloads.

Pure: bytes in, bytes out. `deliver`, `encoded`, `send`, `unmask` and `utf8` come from `native`
where the interpreter can compile native code and from `portable` elsewhere.
"""

try:
    from .native import deliver, encoded, send, unmask, utf8
except (
    ImportError,
    AttributeError,
    SyntaxError,
    ValueError,
):  # CPython, or a CPU without native code
    from .portable import deliver, encoded, send, unmask, utf8

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# const() makes numbers of these names, which then cost nothing, but in this module only. So each
# module names those that it uses: opcodes are of RFC 6455, section 5.2, close codes of 7.4.1.
_TEXT = const(1)
_BINARY = const(2)
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
        message = encoded(message)  # type: ignore[arg-type]
    length = len(message)
    frame = bytearray(length + (2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER))
    start = put_header(frame, 0, opcode, length)
    frame[start:] = message
    return frame
