"""Register routes and folders. Loaded while one is registered."""

import os

from wsserver.core.frames import const
from wsserver.core.protocol import Route

from ..lazy import call, load, loaded

_MAX_PORT = const(65535)
_MAX_NAMED = const(6)  # paths of one kind in the log
_FOLDER = const(0x4000)  # in the mode of os.stat

_CALLBACKS = const(("request", "open", "message", "chunk", "close", "ping", "pong", "drain"))


def add_route(server, path: str, endpoint, *options) -> None:
    """Register a path at a server, with the options of make_route.

    Raises TypeError or ValueError if an argument is wrong.
    """
    routes = server.routes
    if isinstance(path, str) and path[:1] == "/" and "<" in path:
        check_path("path", path.replace("<", "").replace(">", ""))
        matcher = load(".http.patterns").compile(path)
        patterns = server.patterns = server.patterns or []
        if any(matcher.path == other.path for other, _ in patterns):
            raise ValueError("path %r has been registered already" % path)
        patterns.append((matcher, make_route(endpoint, *options)))
        return
    check_path("path", path, routes)
    if path in routes and not isinstance(routes[path], tuple):
        raise ValueError("path %r has been registered already" % path)
    routes[path] = make_route(endpoint, *options)


def registered(server) -> str:
    """Return the paths of a server for a log line: the first few of each kind, and how many more.

    "" if there are none.
    """
    websockets = list(server.routes) + [one.path for one, _ in server.patterns or ()]
    router = server._router
    routes = list(router.paths) + [one.path for one, _ in router.patterns] if router else []
    parts = []
    for name, paths in (("WebSocket", websockets), ("HTTP", routes)):
        if paths:
            paths.sort()
            more = len(paths) - _MAX_NAMED
            text = " ".join([name] + paths[:_MAX_NAMED])
            parts.append(text + (" and %d more" % more if more > 0 else ""))
    return "; ".join(parts)


def check_path(name: str, path: str, routes=()) -> None:
    """Check the path of a URL, without a query; `name` is the argument's name.

    routes: of a server. A lazy one may be replaced only by its own module. Where a program that
    calls this one has reserved a path, there is a tuple with its name.
    Raises TypeError or ValueError.
    """
    if not isinstance(path, str):
        raise TypeError(call(".errorhints", "wrong_path_type", name, path))
    if path[:1] != "/":
        raise ValueError("%s must begin with '/', unlike %r" % (name, path))
    for byte in path.encode():  # a loop over a str would intern each character
        if byte <= 32 or byte == 127 or byte in b"?#<>":
            raise ValueError("%s must not contain %r: %r" % (name, chr(byte), path))
    if path in routes and isinstance(routes[path], tuple):
        owner = routes[path][0]
        if owner not in loaded():
            raise ValueError("path %r is used by %s: choose another one" % (path, owner))


def folder(others: list, prefix: str, directory: str, https) -> tuple:
    """Return what Server.files() adds to the other folders: (prefix, directory, HTTPS port).

    Raises TypeError or ValueError if an argument is wrong.
    """
    check_path("prefix", prefix)
    if not isinstance(directory, str):
        raise TypeError("directory must be a str, not %r" % (directory,))
    if not isinstance(https or 0, int) or not 0 <= (https or 0) <= _MAX_PORT:
        raise TypeError("https must be a port or None, not %r" % (https,))
    prefix = prefix.rstrip("/") + "/"
    directory = directory.rstrip("/")
    if any(other[:2] == (prefix, directory) for other in others):
        raise ValueError("prefix %r has been registered already" % prefix)
    try:
        exists = os.stat(directory or "/")[0] & _FOLDER
    except OSError:
        exists = False
    if not exists:
        raise ValueError("directory must exist: there is no %r" % directory)
    return prefix, directory, https


# Long: one check an argument, and then one callback after the other.
def make_route(
    endpoint,
    subprotocols=(),
    origins=None,
    overflow="close",
    access=None,
    reserved=False,
    require_subprotocol=False,
) -> Route:
    """Make a Route from the arguments of Server.websocket.

    Raises TypeError or ValueError if they are not valid.
    """
    _check(endpoint)
    for protocol in _strings("subprotocols", subprotocols):
        if not protocol or " " in protocol or "," in protocol:
            raise ValueError("subprotocols must be tokens, not %r" % protocol)
    _strings("origins", origins or ())
    if reserved and not access:
        raise ValueError("reserved needs access, or any client could take the reserved slot")
    if require_subprotocol and not subprotocols:
        raise ValueError("require_subprotocol needs subprotocols")
    if overflow not in ("close", "drop"):
        raise ValueError("overflow must be 'close' or 'drop', not %r" % (overflow,))
    if access is not None and (isinstance(access, type) or not hasattr(access, "check")):
        raise TypeError("access must be a Token, a Basic or None, not %r" % (access,))
    route = Route()
    route.subprotocols = subprotocols
    route.origins = origins
    route.access = access
    route.reserved = reserved
    route.required = require_subprotocol
    route.drops = overflow == "drop"
    functions = dict(reversed(_attributes(endpoint)))  # those of a class replace its bases'
    is_dynamic = "__getattr__" in functions or not hasattr(endpoint, "__dict__")
    for name in _CALLBACKS:
        callback = None
        # Looking for a name that no object has would add it to MicroPython's names for ever.
        if "on_" + name in functions or is_dynamic:
            callback = getattr(endpoint, "on_" + name, None)
        if name in ("message", "chunk") and callback:
            # MicroPython's type of async functions is "generator". A closure may be async or not.
            kind = type(functions.get("on_" + name)).__name__
            if kind != "function":
                callback = call(".callbacks", "checked", route, name, callback)
            if kind == "generator":
                load(".workers")  # now, before the heap is fragmented
        setattr(route, name, callback)
    if require_subprotocol and not route.request:
        route.request = True  # prehandshake.decide() checks the subprotocol only
    if route.message and route.chunk:
        text = "endpoint %s must have on_message or on_chunk, not both"
        raise ValueError(text % type(endpoint).__name__)
    return route


def _strings(name, values):
    """Check a tuple or list of str; None may be among them."""
    if isinstance(values, str):
        raise ValueError("%s must be a tuple or list of str, not %r" % (name, values))
    if not isinstance(values, (tuple, list, set)):
        raise TypeError("%s must be a tuple or list of str, not %r" % (name, values))
    for value in values:
        if not isinstance(value, str) and (value is not None or name == "subprotocols"):
            raise TypeError("%s must be a tuple or list of str: not %r" % (name, value))
    return values


def _check(endpoint):
    """Raise TypeError or ValueError for an object that cannot be an endpoint."""
    if isinstance(endpoint, type):
        name = endpoint.__name__
        raise TypeError("endpoint must be an object, not the class %s: pass %s()" % (name, name))
    known = ["on_" + name for name in _CALLBACKS]
    values = (str, bytes, int, float, dict, list, tuple)
    no_object = callable(endpoint) or endpoint is None or isinstance(endpoint, values)
    if no_object and not any(hasattr(endpoint, name) for name in known):
        text = "endpoint must be an object with on_... methods, not "
        raise TypeError(text + call(".errorhints", "description", endpoint))
    for name, value in _attributes(endpoint):
        if name[:3] != "on_":
            continue
        if name not in known:
            text = "endpoint %s has an unknown method %s; known are %s"
            raise ValueError(text % (type(endpoint).__name__, name, ", ".join(known)))
        if not callable(value) and value is not None:
            text = call(".errorhints", "not_callable", "endpoint's " + name, value, "a function")
            raise TypeError(text)


def _attributes(endpoint):
    """Return [(name, value)] of an object and its classes; methods are functions."""
    found = list(getattr(endpoint, "__dict__", {}).items())
    classes = [type(endpoint)]
    for one in classes:
        found.extend(getattr(one, "__dict__", {}).items())
        classes.extend(getattr(one, "__bases__", ()))
    return found
