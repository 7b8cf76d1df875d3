"""Percent-decoding, for paths and queries."""

from .handshake import HTTPError


def unquote(text: str) -> str:
    """Decode the %XX in a part of a URL (RFC 3986, section 2.1). HTTPError: 400."""
    parts = text.encode().split(b"%")
    try:
        data = parts[0]
        for part in parts[1:]:
            data += bytes((int(part[:2], 16),)) + part[2:]
        return str(data, "utf-8")
    except (ValueError, UnicodeError):
        raise HTTPError(400, "percent-encoding") from None
