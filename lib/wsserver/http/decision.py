"""Wait for an async on_request, and send its Response. Loaded when there is one."""

from wsserver.core.frames import const

from ..lazy import load
from .exchange import Exchange
from .prehandshake import is_accepted
from .routing import Route

_DECIDING = const(6)  # beside the states of http.connection: limited by open_timeout


def wait(connection, route, request, coroutine, buf, pos: int, end: int) -> None:
    """Let a coroutine of on_request decide about a handshake; buf[pos:end] follows its head."""
    decision = _take_over(connection, route, request)
    decision._early = bytes(buf[pos:end])
    decision._state = _DECIDING
    decision._since = None
    decision._pause(True)  # no client sends messages before the handshake is done
    start = load(".coroutines").start
    decision._task = start(decision._server, coroutine, decision._on_result)


def respond(connection, route, request, response) -> None:
    """Refuse a handshake with a Response."""
    _take_over(connection, route, request)._respond_with(response)


def _take_over(connection, route, request):
    if isinstance(connection, Decision):
        return connection
    options = Route(("GET",), None, False, None, route.origins or (), None)
    decision = Decision(connection, request, options)
    decision._endpoint = route
    decision._take_over(connection)
    return decision


class Decision(Exchange):
    """A handshake that an endpoint decides about."""

    _early = b""  # what the client has sent behind its request
    _endpoint: Anything = None  # the Route of the WebSocket endpoint

    def _on_result(self, result, error):
        """Accept or refuse the handshake."""
        self._task = None
        if self._sock is None:
            return
        try:
            if error:
                raise error
            request = self._request
            if is_accepted(self, self._endpoint, request, result):
                self._pause(False)
                # Outside a callback the read buffer is free.
                buffer = self._server._read_buffer
                size = len(self._early)
                buffer[:size] = self._early
                self._upgrade(request, self._endpoint, buffer, 0, size)
        except Exception as wrong:
            if self._sock is None:  # it is a client already
                self._server._report(wrong)
            else:
                self._fail(wrong)
