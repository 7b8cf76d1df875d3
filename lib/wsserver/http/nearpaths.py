"""The paths that a client may have meant. Loaded for a response with 404 or 426."""

from wsserver.core.frames import const

from ..log import escape
from .request import HTTPError

_MAX_PATHS = const(160)  # characters of a list of paths: the smallest send buffer has 512 bytes
_MAX_PATH = const(60)  # characters of a path that is compared with others
_MAX_COMPARED = const(16)  # other paths
_LEAST = 0.7  # how much of two paths must be alike, 0 to 1


def describe(server, request, error) -> str:
    """Add to a refusal's reason the path that may have been meant.

    Return the end of the response's body: a list of paths, or "".
    """
    router = server._router
    sockets = list(server.routes) + [matcher.path for matcher, _ in server.patterns or ()]
    if error.status == 426 or request.wants_websocket():
        if error.status == 404:
            meant = _near(request.path, sockets)
            if router and _is_route(router, request):
                error.detail += ": this path is for HTTP"
            elif meant:
                error.detail += ": did you mean %s?" % meant
        return "; WebSocket paths: " + _list(sockets)
    if error.detail != "not found" or _is_route(router, request):
        return ""  # of a handler: the path is right
    paths = list(router.paths) + [matcher.path for matcher, _ in router.patterns]
    meant = _near(request.path, paths)
    if meant:
        error.detail = "did you mean %s?" % meant
    return "; HTTP paths: " + _list(paths)


def _list(paths):
    return escape(", ".join(sorted(paths)), _MAX_PATHS)


def _is_route(router, request):
    """Return whether the path of a request has a route."""
    try:
        return request.path in router.paths or any(
            matcher.match(request.path) is not None for matcher, _ in router.patterns
        )
    except HTTPError:  # a wrong percent-encoding in a parameter
        return True


def _near(path, paths):
    """Return the one of some registered paths that is most like a request's path, or ""."""
    if len(path) > _MAX_PATH:
        return ""
    best, least = "", _LEAST
    for other in paths[:_MAX_COMPARED]:
        start, fixed = path, other
        if "<" in other:  # compare what comes before the first parameter
            fixed = other[: other.find("<")]
            start = "/".join(path.split("/")[: fixed.count("/")]) + "/"
        alike = _likeness(start.lower().encode(), fixed.lower().encode())
        if alike >= least:
            best, least = escape(other, _MAX_PATH), alike
    return best


def _likeness(one, other):
    """Return how much of two paths is alike, 0 to 1: at their beginnings and at their ends.

    `nearest` compares better, but any client can make the server call this.
    """
    most = min(len(one), len(other))
    start = end = 0
    while start < most and one[start] == other[start]:
        start += 1
    while end < most - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return 2 * (start + end) / (len(one) + len(other))
