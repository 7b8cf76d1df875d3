"""The responses of handlers. Loaded with the first request for a route, or by an import."""

import json

from wsserver.core.frames import _BYTES, const, text_bytes

from .request import TOKEN, consists_of
from .responses import _reason

_OCTETS = const("Content-Type: application/octet-stream")
_RESET = const(205)  # which has no content
_OF_THE_SERVER = const(("connection", "content-length", "transfer-encoding"))
_CONTENTS = (dict, list, str, bytes, bytearray)  # looking each of them up takes long
_ATOMS = (str, int, bool, type(None), bytes)  # of JSON; MicroPython writes bytes as a text
int = int
isinstance = isinstance


class Response:
    """The response of a handler.

    body: None, a str, bytes, a dict or list (JSON), a file, or an iterator of str or bytes.
    headers: a dict; a list of values makes several lines. content_type: by default the one for the
    type of the body, unless it is among the headers.

    Raises TypeError or ValueError, which names the argument, if one is invalid.
    """

    def __init__(self, body=None, status: int = 200, headers=None, content_type=None):
        if not isinstance(status, int):
            raise TypeError("status must be an int, not %r" % (status,))
        if not 200 <= status <= 599:
            raise ValueError("status must be 200 to 599, not %d" % status)
        self.status = status
        self.body, default = _prepared(None if status == _RESET else body)
        self._lines = [default] if default else []  # of headers
        if headers:
            if not isinstance(headers, dict):
                raise TypeError("headers must be a dict, not %r" % (headers,))
            for name, value in headers.items():
                for one in value if isinstance(value, (list, tuple)) else (value,):
                    self.add_header(name, one)
        if content_type:
            self.add_header("Content-Type", content_type)

    def add_header(self, name: str, value: str) -> None:
        """Add a header line; Content-Type replaces the default one.

        Raises TypeError or ValueError if it is not valid, or if the server sets it itself.
        """
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("headers must be str, not %r: %r" % (name, value))
        if not consists_of(name.encode(), TOKEN) or min(text_bytes(value) or b" ") < 32:
            raise ValueError("headers must be valid, unlike %r: %r" % (name, value))
        kind = name.lower()
        if kind in _OF_THE_SERVER:
            raise ValueError("the server sets %s itself" % name)
        if kind == "content-type":
            self._lines = [line for line in self._lines if line[:13].lower() != "content-type:"]
        self._lines.append("%s: %s" % (name, value))

    def set_cookie(self, name: str, value: str, options: str = "Path=/; HttpOnly") -> None:
        """Set a cookie; options: its attributes (RFC 6265, section 4.1.1).

        Raises TypeError or ValueError if it is not valid.
        """
        for part in (name, value, options):
            if not isinstance(part, str):
                raise TypeError("cookies must be str, not %r" % (part,))
        if not consists_of(name.encode(), TOKEN):
            raise ValueError("cookies must not have the name %r" % name)
        if " " in value or ";" in value or "," in value:
            raise ValueError("cookies must not contain %r" % value)
        self.add_header("Set-Cookie", "%s=%s%s" % (name, value, options and "; " + options))


def redirect(location: str, status: int = 302) -> Response:
    """Return a redirect. Raises TypeError or ValueError if an argument is invalid."""
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
    if isinstance(value, _CONTENTS):
        return Response(value)
    if isinstance(value, int):
        return Response(_reason(value) + "\n" if value >= 400 else None, value)
    raise TypeError(
        "a route must return None, a str, bytes, a dict, a list, a status, (body, status) or a"
        " Response, not %r" % (value,)
    )


def _prepared(body):
    """Return (bytes, file or iterator; the header line of its content type, or None)."""
    if body is None:
        return b"", None
    if isinstance(body, str):
        return text_bytes(body), "Content-Type: text/plain; charset=utf-8"
    if isinstance(body, (dict, list)):
        return text_bytes(json_of(body)), "Content-Type: application/json"
    if isinstance(body, _BYTES) or hasattr(body, "readinto"):
        return body, _OCTETS
    try:
        return iter(body), _OCTETS
    except TypeError:
        text = "body must be None, a str, bytes, a dict, a list, a file or an iterator, not %r"
        raise TypeError(text % (body,)) from None


def json_of(value) -> str:
    """Return a dict or list as JSON. Raises TypeError or ValueError if that is impossible."""
    _check_json(value)
    return json.dumps(value)


def _check_json(value):
    """Raise TypeError or ValueError for what JSON cannot express.

    MicroPython's json.dumps would write it nevertheless, in a form that no client can read.
    """
    kind = type(value)
    if kind in _ATOMS:
        return
    if isinstance(value, dict):
        for key in value:
            if type(key) not in _ATOMS and not isinstance(key, float):
                raise TypeError("JSON has no key of the type " + type(key).__name__)
            _check_json(value[key])
    elif kind in (list, tuple):
        for one in value:
            _check_json(one)
    elif kind is not float:
        raise TypeError("JSON has no value of the type " + kind.__name__)
    elif value - value != 0:  # it is infinite, or nan
        raise ValueError("JSON has no %r" % value)
