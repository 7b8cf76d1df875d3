"""Errors of peers and of applications: their texts. Loaded while one is needed.

A function that has the name of one in `frames` handles what that one has refused.
"""

from .frames import const, is_close_code, text_bytes

_PROTOCOL_ERROR = const(1002)
_INVALID_DATA = const(1007)

_MAX_REASON = const(123)  # bytes: a control frame has 125, two of them are the code


def bad_header(first: int, second: int) -> str:
    """Return the error in the first two bytes of a frame, which FrameDecoder has refused."""
    opcode = first & 0x0F
    if first & 0x70:
        return "reserved bit set"
    if 2 < opcode < 8 or opcode > 10:
        return "reserved opcode"
    if second < 0x80:
        return "frame is not masked"  # section 5.1
    if opcode & 8:
        return "fragmented control frame" if first < 0x80 else "control frame over 125 bytes"
    return "fragment expected" if opcode else "nothing to continue"


def bad_length(length: int) -> str:
    """Return the error in the length of a frame, which FrameDecoder has refused."""
    return "length over 63 bits" if length >> 63 else "length not in its shortest form"


def too_long(size: int, limit: int) -> str:
    """Return the warning that a message of `size` bytes can never be sent."""
    return "a message of %d bytes can never be sent: raise write_limit, now %d" % (size, limit)


def parse_close(code: int) -> tuple:
    """Return (negative close code, error) for a wrong payload that begins with `code`."""
    if is_close_code(code):
        return -_INVALID_DATA, "close reason is not UTF-8"
    return -_PROTOCOL_ERROR, "invalid close code"


def close_payload(code: int, reason: str) -> None:
    """Raise the TypeError or ValueError for the arguments of a close()."""
    if not isinstance(code, int):
        raise TypeError("close code must be an int, not %r" % (code,))
    if not isinstance(reason, str):
        raise TypeError("close reason must be a str, not %r" % (reason,))
    size = len(text_bytes(reason))
    if size > _MAX_REASON:
        raise ValueError("close reason has %d bytes, at most 123 fit" % size)
    raise ValueError("close code %d may not be sent: use 1000, 1001 or 3000 to 4999" % code)


def payload_of(text: str, message) -> None:
    """Raise the TypeError for a message that is neither text nor bytes-like."""
    kind = type(message).__name__
    if isinstance(message, memoryview):
        kind += ", unless its items are single bytes"
    elif hasattr(message, "throw"):
        kind = "a coroutine: put `await` before the call of the async function"
    elif isinstance(message, (dict, list)):
        kind += ": json.dumps() makes a text of it"
    elif callable(message):
        kind += ": call it, as in f()"
    raise TypeError("%s str or bytes, not %s" % (text, kind))


def bad_ping(size: int) -> None:
    """Raise the ValueError for a ping or pong of too many bytes."""
    raise ValueError("ping and pong carry at most 125 bytes, not %d" % size)
