"""WebSocket frames (RFC 6455, section 5): headers, Close payloads, and the loops over payloads.

`deliver`, `make`, `parse_headers`, `text_bytes`, `send`, `unmask` and `validate_utf8` come from
`native` where MicroPython can run native code, and from `portable` elsewhere.
"""

from ..lazy import call

try:
    from .native import (
        deliver,
        make,
        parse_headers,
        send,
        text_bytes,
        unmask,
        validate_utf8,
    )
except (
    ImportError,
    AttributeError,
    SyntaxError,
    ValueError,
):  # CPython, or a CPU without native code
    from .portable import (
        deliver,
        make,
        parse_headers,
        send,
        text_bytes,
        unmask,
        validate_utf8,
    )

# `@micropython.native` compiles a method of the hot path to native code. tools/deploy/mpycross.py
# removes the line if the CPU is not known. Functions that need viper are in `native` instead.
try:
    import micropython
    from micropython import const
except ImportError:  # CPython

    class micropython:  # type: ignore[no-redef]
        @staticmethod
        def native(function):
            return function

    def const(value):
        return value


# const() replaces these names by numbers, but only within this module. So each module defines the
# names that it uses. Opcodes are in RFC 6455, section 5.2, close codes in section 7.4.1.
_TEXT = const(1)
_BINARY = const(2)
_MAX_HEADER = const(10)  # of a server, which never masks (section 5.1)

_BYTES = (bytes, bytearray, memoryview)  # a Ping must not allocate memory for this

_NO_STATUS = const(1005)
_MAX_REASON = const(123)  # bytes: a control frame has 125, two of them are the code


def write_header(buf, pos: int, opcode: int, length: int) -> int:
    """Write the header of a final, unmasked frame at buf[pos]; return the position behind it."""
    buf[pos] = 0x80 | opcode
    if length < 126:
        buf[pos + 1] = length
        return pos + 2
    if length < 0x10000:
        buf[pos + 1] = 126
        buf[pos + 2] = length >> 8
        buf[pos + 3] = length & 0xFF
        return pos + 4
    buf[pos + 1] = 127
    buf[pos + 2 : pos + _MAX_HEADER] = length.to_bytes(8, "big")
    return pos + _MAX_HEADER


def payload_of(message, text: str):
    """Return a text as UTF-8, and other bytes-like objects as they are.

    Raises ValueError if a text is not valid UTF-8, and TypeError, which begins with `text`, for
    other types.
    """
    if isinstance(message, str):
        return text_bytes(message)
    if isinstance(message, _BYTES):
        return message
    return call(".core.errors", "payload_of", text, message)


def encode(message) -> bytearray:
    """Return a message of broadcast() as a frame: a str as text, other bytes-like as binary.

    Raises TypeError for other types, and ValueError if a text is not valid UTF-8.
    """
    opcode = _TEXT if isinstance(message, str) else _BINARY
    message = payload_of(message, "broadcast() takes")
    length = len(message)
    frame = bytearray(length + (2 if length < 126 else 4 if length < 0x10000 else _MAX_HEADER))
    start = write_header(frame, 0, opcode, length)
    frame[start:] = message
    return frame


def is_close_code(code: int) -> bool:
    """Return whether an endpoint may send `code` in a Close frame (RFC 6455, section 7.4)."""
    return 1000 <= code <= 1014 and not 1004 <= code <= 1006 or 3000 <= code <= 4999


def close_payload(code: int, reason: str) -> bytes:
    """Return the payload of a Close frame (RFC 6455, section 5.5.1).

    Raises ValueError if `code` may not be sent, or if `reason` has over 123 bytes of UTF-8, and
    TypeError if they are not an int and a str.
    """
    if isinstance(code, int) and isinstance(reason, str):
        if code == _NO_STATUS and not reason:
            return b""
        data = text_bytes(reason)
        if is_close_code(code) and len(data) <= _MAX_REASON:
            return bytes((code >> 8, code & 0xFF)) + data
    return call(".core.errors", "close_payload", code, reason)


def parse_close(payload):
    """Return (code, reason) of a received Close payload.

    A negative code is the one to fail the connection with; `reason` then names the error.
    """
    length = len(payload)
    if length == 0:
        return _NO_STATUS, ""  # section 7.1.5
    code = payload[0] << 8 | payload[1] if length > 1 else 0
    if is_close_code(code) and not validate_utf8(payload, 2, length, 0, 0):
        return code, str(payload[2:], "utf-8")
    return call(".core.errors", "parse_close", code)
