"""Percent-encoding (RFC 3986, section 2.1)."""

import binascii

from .request import malformed


def unquote(text: str) -> str:
    """Decode %XX in a part of a URL.

    Raises HTTPError 400.
    """
    parts = text.encode().split(b"%")
    try:
        data = parts[0]
        for part in parts[1:]:
            data += binascii.unhexlify(part[:2] or b"%") + part[2:]
        return str(data, "utf-8")
    except (ValueError, UnicodeError):
        raise malformed("percent-encoding") from None
