"""Texts for the log that are rarely needed. Loaded while one is made."""

import io
import sys

from . import log
from .lazy import call
from .log import escape

_MAX_LINE = 300  # bytes of a request line
_MAX_HINT = 400  # characters, which a peer may have chosen some of


def traceback(error: Exception, owner=None, name: str = "") -> str:
    """Return the traceback of an exception.

    If a callback could not be called with its arguments, a last line says where it is defined and
    what it must accept. owner: the client, the HTTP connection or the function of the callback.
    name: the name of a client's callback, by default the one for messages.
    """
    lines, count = _lines_of(error)
    # What follows is the message, which can contain text of a peer.
    lines[count:] = [escape("\n".join(lines[count:]), 300)]
    size = len(lines)
    # A callback that was called would be in the last line.
    not_called = count < 2 or "wsserver/" in lines[count - 1]
    if not_called and isinstance(error, TypeError) and "argument" in str(error):
        lines.extend(_what_it_must_accept(owner, name))
    if isinstance(error, MemoryError) and hasattr(owner, "_id"):
        place = owner._id, owner._address[0], escape(owner._path)
        lines.append("client %d of %s at %s: out of memory" % place)
    route = getattr(owner, "_route", None)
    # An async handler is not run by _call_handler(): it only makes a coroutine there.
    if getattr(route, "stream", False) is True and "_call_handler" in "".join(lines[:count]):
        lines.append("%s: make the handler async: stream=True" % owner._path)
    if len(lines) == size:
        lines.extend(_hints(error, lines[:count]))
    handler = getattr(route, "handler", None)
    if callable(handler) and "_respond_with" in "".join(lines[:count]):
        text = "%s: %s has returned it%s"
        lines.append(text % (owner._path, _name_of(handler), _place_of(handler)))
    return "\n".join(lines)


def describe(error: Exception, advice: str) -> str:
    """Return the lines below the traceback of an error in a function of the application, or "".

    advice: the line if it could not be called with its arguments.
    """
    lines, count = _lines_of(error)
    found = _hints(error, lines[:count])
    is_signature = isinstance(error, TypeError) and "argument" in str(error)
    if is_signature and not found and "wsserver/programs." in lines[count - 1]:
        found = [advice]
    return "\n".join(found)


def _lines_of(error):
    """Return (the lines of a traceback, how many of them come before the message)."""
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().strip().split("\n")
    count = 0
    while lines[count : count + 1] and lines[count].startswith(("Traceback", "  File")):
        count += 1
    return lines, count


def _hints(error, lines):
    """Return lines about an error, in a list; or none. lines: of the traceback."""
    if isinstance(error, OSError):
        text = log.describe(error)
        return [text] if " " in text and text != str(error) else []
    if isinstance(error, (AttributeError, TypeError, NameError)):
        try:
            text = call(".errorhints", "hint", error, lines)
            return [escape(text, _MAX_HINT)] if text else []
        except MemoryError:
            pass  # the traceback is more important
    return []


# Of the callbacks of an endpoint, beside the client.
_ARGUMENTS = {
    "open": "client",
    "message": "client, message",
    "chunk": "client, chunk, final",
    "close": "client, code, reason",
    "drain": "client",
    "request": "request",
}


def _what_it_must_accept(owner, name):
    """Return a line about a callback whose parameters are wrong, in a list; or none."""
    route = getattr(owner, "_route", None)
    if route is None:
        if not callable(owner):
            return []
        # The message says with how many arguments: a timer's has none, a reader's its socket.
        return [_name_of(owner) + " does not accept what it is called with" + _place_of(owner)]
    if hasattr(route, "handler"):
        function = route.handler
        what = _name_of(function)
        arguments = ", ".join(["request"] + list(owner._request.params or ()))
    else:
        if not hasattr(owner, "send"):  # it is no client yet
            name = "request"
        name = name or ("message" if route.message else "chunk")
        function = getattr(route, "_" + name, None) or getattr(route, name)
        what = "on_%s()" % name
        arguments = _ARGUMENTS.get(name, "client, data")
    if not callable(function):
        return []
    line = "%s: %s must accept (%s)%s"
    return [line % (getattr(owner, "_path", ""), what, arguments, _place_of(function))]


def _name_of(function):
    """Return the name of a function, as far as MicroPython tells: a closure has none."""
    return getattr(function, "__name__", "the function") + "()"


def _place_of(function):
    """Return the file of a function in brackets, or "": older releases do not tell."""
    try:
        names = function.__globals__
        file = "main.py" if names["__name__"] == "__main__" else names["__file__"]
    except (AttributeError, KeyError):
        return ""
    return " [%s]" % file.replace(".mpy", ".py")


def slow(ms: int, name, client) -> str:
    """Return the warning that a callback took so many ms.

    name: of a client's callback, or the function of a timer, or a description. client: it may be
    an HTTP connection.
    """
    if hasattr(client, "_server"):
        name = _request_of(client)
    elif client:
        name = "on_%s of %s" % (name, client._path)
    elif not isinstance(name, str):
        name = "timer %s" % getattr(name, "__name__", name)
    return "slow: %s took %d ms and blocked the server" % (name, ms)


def _request_of(connection):
    """Return the method and the path of the request that a connection has just read."""
    # The connection keeps neither. The query may have a secret.
    line = bytes(connection._server._read_buffer[:_MAX_LINE]).split(b"\n")[0].split()
    if len(line) == 3 and line[2].startswith(b"HTTP/"):
        try:
            return escape(str(line[0] + b" " + line[1].split(b"?")[0], "utf-8"))
        except UnicodeError:
            pass
    return "a request of " + connection._address[0]  # for example, it came in several reads


def tls_slots_in_use() -> str:
    """Return why a client with TLS is refused."""
    return "all TLS slots for WebSocket are in use (tls.max_clients)"
