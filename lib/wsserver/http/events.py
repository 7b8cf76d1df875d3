"""Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Loaded when the first path with events is registered.
"""

from wsserver.core.frames import const, text_bytes

from ..lazy import call
from .exchange import Exchange, _origins
from .request import HTTPError
from .response import json_of
from .responses import response_head

_RESPONDING = const(1)  # states: see http.connection and http.exchange
_HANDLING = const(5)
_QUEUE = const(16)  # events that wait for one client, beside those of the history
_COMMENT = const(b":\n\n")


class Events:
    """The clients of a path with events: what Server.events returns."""

    def __init__(self, server, history: int, retry, on_open):
        self._server = server
        self._most = history
        self._history = []  # (id, event as bytes)
        self._retry = retry
        self._on_open = on_open
        self._streams = []
        self._timer: Anything = None

    def send(self, data, event=None, id=None) -> int:
        """Send an event to all clients. Return how many get it.

        data: a str, or a dict or list (JSON). event: the type of the event. id: a reconnecting
        client sends the id of its last event.

        Raises TypeError or ValueError, which names the argument, if one is invalid.
        """
        content = encode(data, event, id, self._server.max_size)
        if id is not None and self._most:
            self._history.append((str(id), content))
            if len(self._history) > self._most:
                self._history.pop(0)
        count = 0
        for stream in list(self._streams):
            count += stream._push(content)
        return count

    def _missed(self, last):
        """Return the events after the one with the id `last`; None: a new client, none."""
        missed = []
        if last is not None:
            for id, content in self._history:
                missed.append(content)
                if id == last:
                    missed = []
        return missed

    def _add(self, stream):
        self._streams.append(stream)
        interval = self._server.ping_interval
        if interval and not self._timer:
            self._timer = self._server.every(int(interval * 1000), self._ping)

    def _remove(self, stream):
        if stream in self._streams:
            self._streams.remove(stream)
        if self._timer and not self._streams:
            self._timer.cancel()
            self._timer = None

    def _ping(self):
        """Send a comment, so that TCP notices clients that have vanished."""
        for stream in list(self._streams):
            if not stream._queue:
                stream._push(_COMMENT)


class EventStream(Exchange):
    """A client that receives events. It counts as a client, and not as an HTTP connection."""

    _counts = False  # whether acceptor.streams includes it

    def __init__(self, connection, request, route):
        super().__init__(connection, request, route)
        server = self._server
        if self._tls and self._tls.is_full(server, True):
            raise HTTPError(503, call(".reports", "tls_slots_in_use"), "Retry-After: 5")
        if request.method != "HEAD" and not server._has_place(False):
            raise HTTPError(503, "too many clients (server.max_clients)", "Retry-After: 5")
        self._owner = route.handler
        self._queue = []

    def send(self, data, event=None, id=None) -> bool:
        """Send an event to this client only. Return whether it gets it; see Events.send."""
        return self._push(encode(data, event, id, self._server.max_size))

    def _start(self, buf, pos, end):
        try:
            request = self._request
            lines = ["Content-Type: text/event-stream", "Cache-Control: no-store"]
            lines.append("Connection: close")
            origins = _origins(self, self._route)
            if origins:
                lines.extend(call(".http.cors", "allow_origin", request, origins))
            head = response_head(200, lines)
            if request.method == "HEAD":
                self._answer(head)
                return
            acceptor = self._server._acceptor
            acceptor.streams += 1
            self._counts = True
            acceptor.set_accepting(True)
            self._queue.append(head)
            owner = self._owner
            if owner._retry is not None:
                self._queue.append(b"retry: %d\n\n" % owner._retry)
            self._queue.extend(owner._missed(request.headers.get("last-event-id")))
            self._state = _HANDLING
            owner._add(self)
            if owner._on_open:
                owner._on_open(self, request)
            self._fill()
        except Exception as error:
            self._fail(error)

    def _push(self, content):
        """Queue an event. A client that is too slow is dropped: it can reconnect."""
        if self._sock is None:
            return False
        if len(self._queue) >= _QUEUE + self._owner._most:
            self._server._log_refusal(self._address[0], "too slow for events", self._request)
            self._server._drop(self, "too slow for events")
            return False
        self._queue.append(content)
        if not self._out:
            self._fill()
        return True

    def _fill(self):
        """Move events to the send buffer, as many as fit."""
        if not self._reserve(0, 0):
            self._server._drop(self, "out of memory")
            return
        self._state = _RESPONDING  # limited in time
        self._since = None
        limit = self._pool.write_limit
        while self._rest or self._queue:
            if not self._rest:
                self._rest = self._queue.pop(0)
            self._append_rest(limit - self._out_end)
            if self._rest:
                break

    def _receive(self, buf, pos: int, end: int) -> None:
        pass  # nothing is expected

    def _on_eof(self) -> bool:
        return False  # the client has gone

    def _on_drained(self) -> None:
        if self._rest or self._queue:
            self._fill()
        elif self._counts:
            self._state = _HANDLING  # without a time limit
        else:
            self._linger()

    def _on_lost(self, reason: str = "") -> None:
        if self._counts:
            self._counts = False
            self._server._acceptor.streams -= 1
            self._owner._remove(self)
        self._queue = []
        super()._on_lost(reason)


def add(server, path, history, retry, access, origins, on_open) -> Events:
    """Register a path with events: see Server.events."""
    for name, value in (("history", history), ("retry", retry)):
        if not isinstance(value, int) and (value is not None or name == "history"):
            raise TypeError("%s must be an int, not %r" % (name, value))
        if value is not None and value < 0:
            raise ValueError("%s must be at least 0, not %d" % (name, value))
    if on_open is not None and not callable(on_open):
        text = call(".errorhints", "not_callable", "on_open", on_open, "a function or None")
        raise TypeError(text)
    events = Events(server, history, retry, on_open)
    server._router.add(path, ("GET",), EventStream, access, origins, 0)(events)
    return events


def encode(data, event, id, most: int) -> bytes:
    """Return an event as it is sent.

    Raises TypeError or ValueError, which names the argument.
    """
    if isinstance(data, (dict, list)):
        data = json_of(data)
    if not isinstance(data, str):
        raise TypeError("data must be a str, dict or list, not %r" % (data,))
    lines = []
    for name, value in (("id", id), ("event", event)):
        if value is None:
            continue
        if not isinstance(value, str) and (name == "event" or not isinstance(value, int)):
            raise TypeError("%s must be a str, not %r" % (name, value))
        value = str(value)
        if "\n" in value or "\r" in value or "\0" in value:
            raise ValueError("%s must not contain line breaks or zeros: %r" % (name, value))
        lines.append("%s: %s" % (name, value))
    for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        lines.append("data: " + line)
    lines.append("\n")
    content = text_bytes("\n".join(lines))
    if len(content) > most:
        raise ValueError("data must have at most %d bytes (max_size)" % most)
    return content
