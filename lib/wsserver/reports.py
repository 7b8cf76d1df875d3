"""Texts for the log that are rarely needed. Loaded while one is made."""

import errno
import io
import sys

from .log import escape

# The meaning of errno names that a server's user will see.
_MEANINGS = (
    "|EADDRINUSE=port in use|ECONNRESET=connection reset by the peer|ENOMEM=out of memory|"
    "EPIPE=connection closed by the peer|ETIMEDOUT=timed out|"
)


def describe(error: Exception) -> str:
    """Return an exception as text; for an OSError, the name and the meaning of its errno."""
    number = error.args[0] if error.args else 0
    # MicroPython's errno module has no EPIPE, but it is the same number everywhere.
    name = errno.errorcode.get(number) or number == 32 and "EPIPE"
    if not isinstance(error, OSError) or not name:
        return str(error) or type(error).__name__
    start = _MEANINGS.find("|%s=" % name)
    if start < 0:
        return name
    start += len(name) + 2
    return "%s (%s)" % (name, _MEANINGS[start : _MEANINGS.find("|", start)])


def traceback(error: Exception, owner=None, name: str = "") -> str:
    """Return the traceback of an exception.

    If a callback could not be called with its arguments, a last line says where it is and what it
    must accept. owner: the client, the HTTP connection or the function of the callback; name: of a
    client's callback; the one for messages by default.
    """
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().strip().split("\n")
    count = 0
    while lines[count : count + 1] and lines[count].startswith(("Traceback", "  File")):
        count += 1
    # What follows is the message, which can contain text of a peer.
    lines[count:] = [escape("\n".join(lines[count:]), 300)]
    # A callback that was called would be in the last line.
    not_called = count < 2 or "wsserver/" in lines[count - 1]
    if not_called and isinstance(error, TypeError) and "argument" in str(error):
        lines.extend(_what_it_must_accept(owner, name))
    route = getattr(owner, "_route", None)
    # An async handler is not run by _call_handler(): it only makes a coroutine there.
    if getattr(route, "stream", False) is True and "_call_handler" in "".join(lines[:count]):
        lines.append("%s: make the handler async: stream=True" % owner._path)
    return "\n".join(lines)


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

    name: of a client's callback, or the function of a timer, or a description.
    """
    if client:
        name = "on_%s of %s" % (name, getattr(client, "_path", "HTTP"))
    elif not isinstance(name, str):
        name = "timer %s" % getattr(name, "__name__", name)
    return "slow: %s took %d ms and blocked the server" % (name, ms)


def tls_slots() -> str:
    """Return why a client with TLS is refused."""
    return "all TLS slots for WebSocket are in use (tls.max_clients)"
