"""RemoteClient.send_stream: one message of any length, in parts. Loaded with the first one."""

from micropython import const

from wsserver import ERROR, lazy
from wsserver.core.frames import payload_of
from wsserver.log import traceback

_PART = const(1024)  # bytes
_PAUSE = const(20)  # ms between two looks at the queue
_MAX_QUEUED = const(2)  # messages in the queue; beyond that, a stream waits


class Stream:
    """A message that is being sent. `await` it to learn whether all of it is in the queue.

    The next part follows when the broker has acknowledged others, so that a stream does not make
    the queue drop messages.
    """

    _result: Anything = None
    _timer: Anything = None

    def __init__(self, client, source, text: bool):
        if client.stream:
            raise RuntimeError("send_stream() was called while another stream runs")
        self._client = client
        self._kind = b"text" if text else b"binary"
        self._source = source
        if hasattr(source, "readinto"):
            self._parts = _read(source)
        elif hasattr(source, "__aiter__"):
            start = lazy.load("wsserver.coroutines").start
            client.stream = self
            start(client.server, self._iterate(source), self._on_end)
            return
        else:
            if isinstance(source, (str, bytes, bytearray, memoryview)):
                source = (source,)
            try:
                self._parts = _cut(iter(source))
            except TypeError:
                text = "source must be a file or an iterator, not %r"
                raise TypeError(text % (source,)) from None
        client.stream = self
        self._timer = client.server.every(_PAUSE, self._step)

    def __iter__(self):
        # `await` calls this.
        from asyncio import sleep_ms

        while self._result is None:
            yield from sleep_ms(_PAUSE)
        return self._result

    def _step(self):
        """Send as many parts as there is space for."""
        client = self._client
        try:
            while client.is_open and client.has_space(_MAX_QUEUED):
                part = next(self._parts)
                if part is None:  # the source would block
                    return
                client.order("part", part)
            if not client.is_open:
                self._on_end(False, None)
        except StopIteration:
            self._on_end(True, None)
        except Exception as error:
            self._on_end(False, error)

    async def _iterate(self, source):
        from asyncio import sleep_ms

        client = self._client
        async for piece in source:
            for part in _cut((piece,)):
                while client.is_open and not client.has_space(_MAX_QUEUED):
                    await sleep_ms(_PAUSE)
                if not client.is_open:
                    return False
                client.order("part", part)
        return True

    def _on_end(self, result, error):
        """End the message, or the connection with 1011: the message cannot be completed."""
        client = self._client
        if self._timer:
            self._timer.cancel()
        client.stream = None
        self._result = bool(result) and client.is_open
        if self._result:
            client.order("end", self._kind)
        if isinstance(error, Exception):
            client.server.log(ERROR, traceback(error))
            client.close(1011, "internal error")
        if hasattr(self._source, "close"):
            self._source.close()


def _cut(pieces):
    """Yield parts of pieces that are str or bytes-like."""
    for piece in pieces:
        data = memoryview(payload_of(piece, "send_stream() takes pieces of"))
        for start in range(0, len(data), _PART):
            yield data[start : start + _PART]


def _read(file):
    """Yield parts of a file, None while it would block."""
    buffer = memoryview(bytearray(_PART))
    size = file.readinto(buffer)
    while size != 0:
        yield buffer[:size] if size else None
        size = file.readinto(buffer)
