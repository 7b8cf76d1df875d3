"""The responses of handlers. Loaded with the first request for a route, or by an import."""

import json

from ..core.frames import const, text_bytes
from .request import TOKEN, consists_of
from .responses import _reason

_OCTETS = const("application/octet-stream")


class Response:
    """What a handler answers.

    body: None, a str, bytes, a dict or list (JSON), a file, or an iterator of str or bytes.
    headers: by name; a list of values makes several lines. content_type: by default that of the
    body. Raises TypeError or ValueError, which names the argument, if one is wrong.
    """

    def __init__(self, body=None, status: int = 200, headers=None, content_type=None):
        self.body, default = _prepared(body)
        if not isinstance(status, int):
            raise TypeError("status must be an int, not %r" % (status,))
        if not 200 <= status <= 599:
            raise ValueError("status must be 200 to 599, not %d" % status)
        self.status = status
        self._lines = []  # of headers
        for name, value in (headers or {}).items():
            for one in value if isinstance(value, (list, tuple)) else (value,):
                self.add_header(name, one)
        if content_type:
            self.add_header("Content-Type", content_type)
        elif default:
            self._lines.append("Content-Type: " + default)

    def add_header(self, name: str, value: str) -> None:
        """Add a header line. Raises TypeError or ValueError if it is not valid."""
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("headers must be str, not %r: %r" % (name, value))
        if not consists_of(name.encode(), TOKEN) or min(value.encode() or b" ") < 32:
            raise ValueError("headers must be valid, unlike %r: %r" % (name, value))
        self._lines.append("%s: %s" % (name, value))

    def set_cookie(self, name: str, value: str, options: str = "Path=/; HttpOnly") -> None:
        """Set a cookie; options: its attributes (RFC 6265, section 4.1.1).

        Raises TypeError or ValueError if it is not valid.
        """
        for part in (name, value):
            if " " in part or ";" in part or "," in part:
                raise ValueError("cookies must not contain %r" % part)
        self.add_header("Set-Cookie", "%s=%s%s" % (name, value, options and "; " + options))


def redirect(location: str, status: int = 302) -> Response:
    """Return a redirect. Raises TypeError or ValueError if an argument is wrong."""
    return Response(status=status, headers={"Location": location})


def make_response(value) -> Response:
    """Return the Response for what a handler has returned.

    Raises TypeError or ValueError if it is no valid response.
    """
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, tuple) and len(value) == 2:
        return Response(value[0], value[1])
    if isinstance(value, (str, bytes, bytearray, dict, list)):
        return Response(value)
    if isinstance(value, int):
        return Response(_reason(value) + "\n" if value >= 400 else None, value)
    raise TypeError("a route must return a str, a dict, a Response, ..., not %r" % (value,))


def _prepared(body):
    """Return (bytes, file or iterator, its content type or None)."""
    if body is None:
        return b"", None
    if isinstance(body, str):
        return text_bytes(body), "text/plain; charset=utf-8"
    if isinstance(body, (dict, list)):
        return text_bytes(json.dumps(body)), "application/json"
    if isinstance(body, (bytes, bytearray, memoryview)) or hasattr(body, "readinto"):
        return body, _OCTETS
    try:
        return iter(body), _OCTETS
    except TypeError:
        raise TypeError("body must be str, bytes, ..., not %r" % (body,)) from None
