"""Request bodies that a handler reads itself. Loaded with the first request to such a route."""

from ..core.frames import const
from .exchange import Exchange

_BODY = const(4)  # states: see http.exchange
_HANDLING = const(5)


class Upload(Exchange):
    """A request whose body is read with request.read().

    Received data is in _inbox[_in_start:_in_end]. While that is full, nothing is read from the
    socket, so that TCP slows the peer down.
    """

    _waiting: Anything = None  # an asyncio.Event: data has arrived
    _in_start = 0
    _in_end = 0

    def _start(self, buf, pos, end):
        """Keep what has arrived of the body, and call the handler at once."""
        try:
            self._request.read = self._read
            if self._body and not self._body.done:
                self._keep(buf, pos, end)
            else:
                self._extra = pos < end
            self._call_handler()
        except Exception as error:
            self._fail(error)

    def _keep(self, buf, pos, end):
        self._inbox = self._pool.take()
        size = end - pos
        if size:
            self._expects = None  # the peer does not wait for 100 Continue
        if size > len(self._inbox):
            raise MemoryError  # only if write_limit is less than read_size
        self._inbox[:size] = buf[pos:end]
        self._in_end = size
        self._pause(size >= self._pool.inbox_size)

    def _receive(self, buf, pos: int, end: int) -> None:
        """Note that data has arrived in the inbox. Without one, it is ignored."""
        if self._inbox is None:
            self._extra = True
            return
        self._count(end - self._in_end)
        self._in_end = end
        if self._waiting:
            self._waiting.set()
        if end >= self._pool.inbox_size:
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
                return data
            if self._sock is None:  # the handler goes on although it was cancelled
                raise OSError("the connection is lost")
            if not self._waiting:
                from asyncio import Event

                self._waiting = Event()
            self._waiting.clear()
            self._await_body()
            self._server._update_poll(self)
            await self._waiting.wait()
            if self._state == _BODY:
                self._state = _HANDLING

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
                if self._half_closed:
                    self._pause(False)
            if data:
                return data
        return b""

    def _free_inbox(self):
        if self._inbox is not None:
            self._extra = self._in_start < self._in_end
            self._pool.give(self._inbox)
            self._inbox = None
            if self._half_closed:
                self._pause(False)

    def _end_body(self):
        self._free_inbox()
        super()._end_body()
