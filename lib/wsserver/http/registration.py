"""Check and register HTTP routes. Loaded while one is registered."""

from ..lazy import call, load
from .request import TOKEN, consists_of
from .routes import _strings, check_path
from .routing import Route


# Long: one check an argument, one after the other.
def check_route(router, path, methods, stream, access, origins, max_body) -> None:
    """Check the arguments of Server.route.

    Raises TypeError or ValueError, which names the argument.
    """
    if isinstance(path, str) and "<" in path:
        check_path("path", path.replace("<", "").replace(">", ""))
        load(".http.patterns").compile(path)
    else:
        check_path("path", path, router._server.routes)
    for method in _strings("methods", methods):
        if not isinstance(method, str):
            raise TypeError("methods must be a tuple or list of str: not %r" % (method,))
        if not consists_of(method.encode(), TOKEN) or method != method.upper():
            raise ValueError("methods must be HTTP methods in upper case, not %r" % (method,))
    if not methods:
        raise ValueError("methods must not be empty")
    if stream not in (False, True) and not isinstance(stream, type):
        raise TypeError("stream must be True or False, not %r" % (stream,))
    if access is not None and (isinstance(access, type) or not hasattr(access, "check")):
        raise TypeError("access must be a Token, a Basic or None, not %r" % (access,))
    for origin in _strings("origins", origins or ()):
        if origin is None:
            raise TypeError("origins must be a tuple or list of str: not None")
    if max_body is not None and not isinstance(max_body, int):
        raise TypeError("max_body must be an int or None, not %r" % (max_body,))
    if max_body is not None and max_body < 0:
        raise ValueError("max_body must be at least 0, not %d" % max_body)


def register(router, path, handler, methods, *options) -> None:
    """Add a route to a Router.

    Raises TypeError if the handler cannot be called, and ValueError if a method of the path has
    been registered already.
    """
    if not callable(handler) and not isinstance(options[0], type):
        raise TypeError(call(".errorhints", "not_callable", "a route", handler, "a function"))
    # MicroPython's type of async functions is "generator". A closure may be async or not.
    if options[0] is True and type(handler).__name__ == "function":
        raise TypeError("the handler %s() must be async: stream=True" % handler.__name__)
    routes = routes_of(router, path)
    for route in routes:
        for method in methods:
            if method in route.methods:
                raise ValueError("path %r has been registered already for %s" % (path, method))
    routes.append(Route(tuple(methods), handler, *options))


def routes_of(router, path) -> list:
    """Return the list of a path's routes, which is made if it has none."""
    if "<" not in path:
        if path not in router.paths:
            router.paths[path] = []
        return router.paths[path]
    for matcher, routes in router.patterns:
        if matcher.path == path:
            return routes
    routes = []
    router.patterns.append((load(".http.patterns").compile(path), routes))
    return routes
