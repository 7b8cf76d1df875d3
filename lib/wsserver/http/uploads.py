"""Request bodies that a handler reads itself. Loaded with the first request to such a route."""

from time import ticks_add, ticks_diff, ticks_ms

from wsserver.core.frames import const

from .exchange import Exchange

_BODY = const(4)  # states: see http.exchange
_HANDLING = const(5)
_INBOX = const(2560)  # bytes of a body that are read at once; a buffer of the pool has 2 KB more


class Upload(Exchange):
    """A request whose body is read with request.read().

    Received data is in _inbox[_in_start:_in_end]. While that is full, nothing is read from the
    socket, so that TCP slows the peer down.
    """

    _waiting: Anything = None  # an asyncio.Event: data has arrived
    _waited: Anything = None  # ms of the present time for the body; None: nothing was awaited
    _in_start = 0
    _in_end = 0

    def _start(self, buf, pos, end):
        """Keep what has arrived of the body, and call the handler at once."""
        try:
            self._request.read = self._read
            if self._body and not self._body.done:
                self._keep(buf, pos, end)
            else:
                self._keeps = pos >= end
            self._call_handler()
        except Exception as error:
            self._fail(error)

    def _keep(self, buf, pos, end):
        size = end - pos
        if size and self._expects:
            self._expects = False  # the peer does not wait for 100 Continue
        self._inbox = memoryview(bytearray(max(size, _INBOX)))
        self._inbox[:size] = buf[pos:end]
        self._in_end = size
        self._pause(size >= _INBOX)

    def _receive(self, buf, pos: int, end: int) -> None:
        """Note that data has arrived in the inbox. Without one, it is ignored."""
        if self._inbox is None:
            Exchange._receive(self, buf, pos, end)
            return
        self._count(end - self._in_end)
        self._in_end = end
        if self._waiting:
            self._waiting.set()
        if end >= _INBOX:
            self._pause(True)  # until the handler has taken all

    async def _read(self, n: int) -> bytes:
        """Return up to `n` bytes of the body, b"" at its end: Request.read of streamed ones.

        Raises HTTPError 400 or 413. If the peer does not send the whole body, the handler is
        cancelled.
        """
        if not isinstance(n, int) or n < 1:
            raise ValueError("n must be an int over 0, not %r" % (n,))
        while True:
            data = self._take(n)
            if data or self._body is None or self._body.done:
                self._since = None  # the handler makes progress
                return data
            if self._sock is None:  # the handler continues although it was cancelled
                raise OSError("the connection is lost")
            if not self._waiting:
                from asyncio import Event

                self._waiting = Event()
            self._waiting.clear()
            if self._waited is None:
                self._await_body()
            else:  # one byte must not start the time again
                self._state = _BODY
                self._since = ticks_add(ticks_ms(), -self._waited)
            self._server._update_poll(self)
            await self._waiting.wait()
            if self._state == _BODY:
                self._state = _HANDLING
                since = self._since
                self._waited = 0 if since is None else ticks_diff(ticks_ms(), since)

    def _take(self, most):
        """Return bytes of the body from the inbox; b"" if it has none."""
        body = self._body
        inbox = self._inbox
        while inbox is not None and self._in_start < self._in_end and not body.done:
            start, stop, after = body.next(inbox, self._in_start, self._in_end, most)
            data = bytes(inbox[start:stop])
            self._in_start = after
            if after == self._in_end:
                self._in_start = self._in_end = 0
                if len(inbox) > _INBOX:  # more than that came with the head
                    inbox = self._inbox = None
                    self._inbox = memoryview(bytearray(_INBOX))
                if self._half_closed:
                    self._pause(False)
            if data:
                return data
        return b""

    def _free_inbox(self):
        if self._inbox is not None:
            if self._in_start < self._in_end:
                self._keeps = False
            self._inbox = None
            if self._half_closed:
                self._pause(False)

    def _end_body(self):
        self._free_inbox()
        super()._end_body()
