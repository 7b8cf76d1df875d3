"""Hints below a traceback: what to change in the application. Loaded while one is made."""

from .nearest import near

# Names that an application may use, of each class in a message of MicroPython. A test compares
# them with typings/.
_NAMES = {
    "Server": "websocket route events files listen every after add_reader remove_reader on_wait"
    " call_soon client broadcast stop run step serve clients remote_clients routes patterns hosts"
    " portal limits origins proxies log max_clients max_size write_limit ping_interval"
    " ping_timeout open_timeout close_timeout async_timeout last_id",
    "Client": "send close ping pong join leave drain send_stream id address path query params"
    " subprotocol context buffered messages bytes is_open secure text",
    "Request": "method path query headers args cookies params body form json read parts address"
    " secure context",
    "Response": "body status add_header set_cookie",
    "Part": "name filename headers read",
    "Events": "send",
    "EventStream": "send",
    "Timer": "cancel",
    "Board": "server panel settings name https_port",
    "Panel": "value switch slider button select text colour custom load describe values command",
    "wsserver": "Server Client Request Response redirect DEBUG INFO WARNING ERROR",
}
# The classes with a __getattr__, whose message is only the name. The module is in the traceback.
_OWNERS = (
    ("wsserver/server.", "Server"),
    ("core/protocol.", "Client"),
    ("http/fields.", "Request"),
    ("wsserver/__init__.", "wsserver"),
)
_KEYWORDS = (
    "path endpoint subprotocols origins overflow access reserved require_subprotocol methods"
    " stream max_body history retry on_open port host tls ms function args message group prefix"
    " directory https max_clients max_size ping_interval ping_timeout close_timeout open_timeout"
    " purge write_limit read_size max_head max_tls tls_reserved log async_timeout code reason data"
    " event id body status headers content_type connections handshakes messages bytes source text"
)
_AWAIT = "a coroutine is not its result: put `await` before the call of the async function"

# Names that programs take for global ones.
_GIVEN = {
    "board": "setup(board) gets the board: use it there, or keep it in a variable",
    "server": "the server is board.server in setup(board)",
    "panel": "the panel is board.panel in setup(board)",
    "client": "callbacks get the client: on_message(self, client, message)",
    "request": "a route gets the request: def handler(request)",
}


def hint(error: Exception, lines: list) -> str:
    """Return a line that says how to correct an application's error, or "".

    lines: of the traceback, without the message.
    """
    text = str(error)
    if isinstance(error, AttributeError):
        return _of_attribute(text, lines)
    if isinstance(error, NameError):
        return _GIVEN.get((text.split("'") + [""])[1], "")
    if not isinstance(error, TypeError):
        return ""
    if "unexpected keyword argument" in text:
        name = _quoted(text)
        close = near(name, _KEYWORDS.split())
        return "%s: did you mean %s?" % (name, close) if close and close != name else ""
    if "generator" in text and "await" not in text and "not the coroutine" not in text:
        return _AWAIT
    if text.startswith(("'bool' object isn't iter", "'bool' object is not iter")):
        return "is this an `await` too many? client.send() and broadcast() return at once"
    if text.startswith(("'function' object", "'closure' object", "'bound_method' object")):
        return "a function is not its result: call it, as in request.json()"
    if text.startswith("unsupported type") and "'str'" in text:
        return "str(value) makes a text of another value"
    return ""


def _quoted(text):
    """Return the last word of a text that is in quotes, or ""."""
    parts = text.split("'")
    return parts[-2] if len(parts) > 2 else ""


def _of_attribute(text, lines):
    if text.startswith("'generator'"):  # MicroPython's type of coroutines
        return _AWAIT
    owner, name = "", text
    if text.startswith("'"):
        owner, name = text.split("'")[1], _quoted(text)
    elif lines:
        for place, kind in _OWNERS:
            if place in lines[-1]:
                owner = kind
    if owner == "dict":
        return 'a dict has no attributes of its own: write ["%s"]' % name
    if owner == "NoneType" and name in _NAMES["Client"].split():
        return "the value is None: server.client() returns None when the client has left"
    if owner not in _NAMES:
        return ""
    names = _NAMES[owner].split()
    close = near(name, names)
    if close:
        return "%s has no %s: did you mean %s?" % (owner, name, close)
    text = "%s has no %s. It has %s" % (owner, name, ", ".join(names))
    # An application can give its clients attributes of its own.
    return text + ", and what the application has set" if owner == "Client" else text


def not_callable(name: str, value, kind: str = "callable") -> str:
    """Return the text of a TypeError for a value that is no function; name: of the argument."""
    if hasattr(value, "throw"):  # a coroutine, or what a function with `yield` has returned
        parts = repr(value).split("'")
        called = parts[1] if len(parts) > 2 else "f"
        text = "%s must be %s, not the coroutine %s(): pass %s, not %s()"
        return text % (name, kind, called, called, called)
    return "%s must be %s, not %r: pass f, not f()" % (name, kind, value)


def wrong_path_type(name: str, value) -> str:
    """Return the text of a TypeError for a path that is no str; name: of the argument."""
    text = "%s must be a str, not %s" % (name, description(value))
    return text + ': as in @server.route("/path")' if callable(value) else text


def description(value) -> str:
    """Return a value as text. A function has its name instead of its address."""
    if type(value).__name__ in ("function", "closure", "generator", "bound_method"):
        name = getattr(value, "__name__", "")
        if name:
            return "the function %s()" % name
    return repr(value)
