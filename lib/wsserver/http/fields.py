"""Parts of a request that are parsed on first use. Loaded then, and stays."""

import json

from wsserver.core.frames import const

from .percent import unquote
from .request import HTTPError, Request, malformed

# Against bodies and queries of short parts, each of which takes far more than one byte of heap:
_MAX_FIELDS = const(64)
_MAX_BRACKETS = const(40)  # of JSON, and one more for each 10 bytes


def get(request: Request, name: str):
    """Return an attribute of a request that it does not have yet, and add it.

    args: a dict of the query's fields. cookies: a dict. form: a dict of the body's fields. json: a
    function that returns the body's content. parts: a function that returns an asynchronous
    iterator of a streamed multipart body.

    Raises HTTPError 400, or AttributeError for another name.
    """
    value: Anything = None
    if name == "args":
        value = parse_form(request.query)
    elif name == "cookies":
        value = _parse_cookies(request.headers.get("cookie", ""))
    elif name == "form":
        value = _form_of(request)
    elif name == "parts":
        from .multipart import Parts

        return lambda: Parts(request)
    elif name == "json":
        return lambda: _json_of(request)
    else:
        raise AttributeError(name)
    setattr(request, name, value)
    return value


def parse_form(text: str) -> dict:
    """Return the fields of a query or a URL-encoded form; of several with a name, the first.

    Raises HTTPError 400.
    """
    fields = {}
    for field in _split(text, "&"):
        name, _, value = field.replace("+", " ").partition("=")
        if "%" in field:
            name, value = unquote(name), unquote(value)
        if field and name not in fields:
            fields[name] = value
    return fields


def _parse_cookies(text):
    cookies = {}
    for part in _split(text, ";"):
        name, mark, value = part.strip().partition("=")
        if mark and name not in cookies:
            cookies[name] = value.strip('"')
    return cookies


def _split(text, mark):
    if text.count(mark) >= _MAX_FIELDS:
        raise HTTPError(400, "over %d fields" % _MAX_FIELDS)
    return text.split(mark)


def _text_of(request):
    try:
        return str(request.body, "utf-8")
    except UnicodeError:
        raise malformed("the text of the body") from None


def _form_of(request):
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("application/x-www-form-urlencoded"):
        return parse_form(_text_of(request))
    if kind.startswith("multipart/form-data"):
        from .multipart import parse_form as parse

        return parse(request)
    return {}


def _json_of(request):
    text = _text_of(request)
    if text.count("[") + text.count("{") > _MAX_BRACKETS + len(text) // 10:
        raise HTTPError(400, "the body has too many brackets")
    try:
        return json.loads(text)
    except ValueError:
        raise HTTPError(400, "the body is not JSON") from None
