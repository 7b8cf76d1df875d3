"""What Close frames carry: a code and a reason (RFC 6455, sections 5.5.1 and 7.4). Pure."""

from .frames import const, utf8

_PROTOCOL_ERROR = const(1002)
_NO_STATUS = const(1005)
_INVALID_DATA = const(1007)


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
