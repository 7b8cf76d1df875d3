"""Log refused requests and connections, at a limited rate."""

from time import ticks_diff, ticks_ms

from wsserver.core.frames import const

from ..log import WARNING, describe, escape
from .request import HTTPError

_WINDOW = const(10000)  # ms
_MAX_LINES = const(8)  # in a window


class RefusalLog:
    """Write a line for each refusal. In a flood, write some lines and count the others."""

    def __init__(self, server):
        self._server = server
        self._since = ticks_ms()
        self._lines = 0
        self._hidden = 0

    def add(self, ip: str, reason, request=None, status: int = 0) -> None:
        """Log that a request, or a connection without a complete one, was refused.

        reason: a str, or the exception that is the reason.
        """
        if self._lines >= _MAX_LINES:
            self._hidden += 1
            return
        self._lines += 1
        if isinstance(reason, HTTPError):
            reason = reason.detail
        elif not isinstance(reason, str):
            reason = "cannot accept a connection: " + describe(reason)
        text = ("failed " if status == 500 else "refused ") + ip
        if request:
            text += " %s %s" % (escape(request.method, 16), escape(request.path, 60))
        if status:
            text += ": %d" % status
        self._server._log(WARNING, "%s: %s" % (text, escape(reason, 100)))

    def sweep(self, now: int) -> None:
        """Log how many refusals had no line of their own. Called ten times a second."""
        if ticks_diff(now, self._since) >= _WINDOW:
            self._since = now
            self._lines = 0
            hidden, self._hidden = self._hidden, 0
            if hidden:
                text = "refused %d more requests or connections in 10 s"
                self._server._log(WARNING, text % hidden)
