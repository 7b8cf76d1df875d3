"""Decide about a handshake: on_request, require_subprotocol. Loaded with the first such one."""

from wsserver.core.frames import const

from ..lazy import load
from .request import HTTPError, choose_subprotocol

_LOWEST = const(300)  # of a status that refuses
_HIGHEST = const(599)


def decide(connection, route, request, buf, pos: int, end: int) -> bool:
    """Ask an endpoint about a handshake; buf[pos:end] is what follows its head.

    Return True if it is accepted now; otherwise the rest is done here. Raises HTTPError if it is
    refused with a status.
    """
    if route.required and not choose_subprotocol(request, route.subprotocols):
        raise HTTPError(400, "subprotocol must be " + " or ".join(route.subprotocols))
    if route.request is True:
        return True
    connection._route = route  # for reports.traceback
    connection._path = request.path
    result = route.request(request)
    if hasattr(result, "throw"):
        load(".http.decision").wait(connection, route, request, result, buf, pos, end)
        return False
    return is_accepted(connection, route, request, result)


def is_accepted(connection, route, request, result) -> bool:
    """Return whether a result of on_request is None; send it if it is a Response.

    Raises HTTPError for a status, and TypeError or ValueError for another result.
    """
    if result is None:
        return True
    if isinstance(result, int):
        if not _LOWEST <= result <= _HIGHEST:
            raise ValueError("on_request must return None, 300 to 599 or a Response: %r" % result)
        raise HTTPError(result, "refused by on_request")
    if not hasattr(result, "set_cookie"):
        raise TypeError("on_request must return None, a status or a Response, not %r" % (result,))
    load(".http.decision").respond(connection, route, request, result)
    return False
