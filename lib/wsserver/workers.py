"""Async callbacks of clients. Loaded when an endpoint with async methods is registered.

A Worker runs the coroutines of one client, in order and one at a time. While one waits, the Worker
takes the place of the client's FrameDecoder: it processes control frames, and keeps the bytes of
the next message. Beyond that, the client is not read, so that TCP slows its peer down.
"""

from asyncio import CancelledError, Event
from time import ticks_diff, ticks_ms

from wsserver.core.decoder import FrameDecoder
from wsserver.core.frames import const
from wsserver.core.protocol import Client

from .coroutines import add_task, start
from .eventloop import resume, task_of

_OPEN = const(0)  # states: see core.buffers
_CLOSED = const(3)
_INTERNAL_ERROR = const(1011)
_ABNORMAL = const(1006)
_PIECE = const(256)  # bytes, for which there is a place in a fragmented heap


def adopt(client, coroutine, name: str) -> None:
    """Run the coroutine that another callback of a client has returned."""
    if name == "close":
        start(client._pool.server, coroutine, None, True)
    elif name == "open":
        worker_of(client).run(coroutine)
    else:
        worker_of(client).run_beside(coroutine)


def worker_of(client):
    """Return the Worker of a client."""
    return client._worker or Worker(client)


class Worker:
    """The coroutines of one client."""

    # The attributes of a FrameDecoder, for which this one stands while a coroutine waits.
    pos = 0
    need = 0
    checked = 0

    def __init__(self, client):
        self._client = client
        self._server = client._pool.server
        self._decoder: Anything = None  # the client's own
        self._coroutine: Anything = None  # that runs
        self._generator = self._work()
        self._task = task_of(self._generator)
        self._is_working = False  # whether _work() itself runs: it continues with _coroutine
        self._is_holding = False  # whether this stands for the decoder
        self._paused_at: Anything = None  # ms: the client has not been read since then
        self._pieces: Anything = None  # what is kept if there is no memory for it in one piece
        self._beside: Anything = None  # the task of on_ping, on_pong or on_drain
        self._drained: Anything = None  # an Event for drain()
        self._lost: Anything = None  # why TCP was closed while a coroutine ran
        client._worker = self
        if not getattr(client, "_stream", None):  # which calls stand_in() at its end
            client._on_lost = self._on_lost

    def __getattr__(self, name):
        if name in ("frames", "is_text"):  # of the client's own decoder, for Limits and Client
            return getattr(self._decoder, name) if self._decoder else 0
        raise AttributeError(name)

    # --- run coroutines

    def run(self, coroutine) -> None:
        """Run a coroutine; those that follow wait until it has ended."""
        self._coroutine = coroutine
        if self._is_working:
            self._hold()
            return
        self._is_working = True
        resume(self._task, self._generator)
        self._is_working = False
        if self._coroutine:  # it waits for something
            add_task(self._server, self)
            self._hold()

    def run_beside(self, coroutine) -> None:
        """Run the coroutine of on_ping, on_pong or on_drain, unless one of these runs."""
        client = self._client
        if self._beside or client._state == _CLOSED:
            coroutine.close()
            return

        def done(result, error):
            self._beside = None
            if error and not isinstance(error, CancelledError):
                client._report(error)

        self._beside = start(self._server, coroutine, done)

    def cancel(self) -> None:
        """Do nothing: the coroutine is cancelled with its client."""

    def _work(self):
        """Run the coroutines: the generator of this worker's task."""
        client = self._client
        while True:
            try:
                yield from self._coroutine
            except CancelledError:
                pass  # the client has left
            except Exception as error:
                client._report(error)
            self._coroutine = None
            if self._lost is None and self._is_holding:
                self._is_working = True
                self._release()  # which may begin the next coroutine
                self._is_working = False
            if self._lost is not None:
                break
            if not self._coroutine:
                self._forget()
                yield  # until run() continues it
        if self._coroutine:
            self._coroutine.close()
            self._coroutine = None
        self._forget()
        Client._on_lost(client, self._lost)

    def _forget(self):
        """Remove the worker from the server's tasks, if it had to wait."""
        tasks = self._server._tasks
        if tasks and self in tasks:
            tasks.remove(self)

    # --- keep what is received meanwhile

    def _hold(self):
        client = self._client
        client._plain = None
        if not self._is_holding:
            self._is_holding = True
            self._decoder = client._decoder
            client._decoder = self

    def _restore(self):
        client = self._client
        self._is_holding = False
        client._decoder = self._decoder
        client._plain = client._route.message if client._state == _OPEN else None

    def _release(self):
        """Process what has been kept."""
        client = self._client
        server = self._server
        self._restore()
        self._read_on()
        inbox = client._inbox
        pieces = self._pieces or (client._tail,)
        try:
            if inbox is not None:
                client._receive(inbox, client._in_start, client._in_end)
            else:
                # Outside a callback the read buffer is free.
                client._tail = b""
                self._pieces = None
                buffer = server._read_buffer
                end = 0
                for piece in pieces:
                    buffer[end : end + len(piece)] = piece
                    end += len(piece)
                pieces = piece = None  # free them: the rest may need their memory
                if end:
                    client._receive(buffer, 0, end)
        except Exception as error:  # out of memory, or a fault of the server
            server._report(error)
            server._drop(client, "internal error")
        if client._state == _CLOSED and not client._out:
            server._drop(client)

    # Long: one pass over the frames, with six local variables as its state.
    def decode(self, buf: memoryview, end: int) -> bool:
        """Process the next control frame in buf[pos:end]; return False if there is none."""
        client = self._client
        if client._state != _OPEN:  # no message will be delivered: read on for a Close
            self._restore()
            client._decoder = client._decoder or FrameDecoder(client)
            return self.look_ahead(buf, end, 0)
        decoder = self._decoder
        pos = self.pos
        at = pos + (decoder.remaining if decoder else 0)  # of a frame for on_chunk
        complete = False  # whether a message has been kept
        need = 0
        is_full = False
        while end - at > 1:
            first = buf[at]
            length = buf[at + 1] & 0x7F
            start = at + (2 if length < 126 else 4 if length == 126 else 10)
            if not first & 8 and complete:
                is_full = True  # the next message
                break
            if end < start:
                break
            if length > 125:
                length = int.from_bytes(buf[at + 2 : start], "big")
            if buf[at + 1] & 0x80:
                start += 4
            stop = start + length
            if first & 8:
                if end < stop and length < 126:
                    break
                self._control(buf, at, min(stop, end))
                return True
            if client._route.message and length > client._pool.max_size:
                is_full = True  # refused when it is its turn
                break
            if end < stop:
                need = stop - pos
                break
            complete = first & 0x80
            at = stop
        self._keep(buf, end, need, is_full)
        return False

    def look_ahead(self, buf: memoryview, end: int, need: int) -> bool:
        """Do the same as decode() of the real decoder, if there is one again."""
        if self._is_holding:
            return self.decode(buf, end)
        decoder = self._client._decoder
        decoder.pos = self.pos
        more = decoder.decode(buf, end)
        self.pos = decoder.pos
        return more

    def _control(self, buf, start, stop):
        """Process the control frame buf[start:stop], and remove it from what is kept."""
        client = self._client
        decoder = self._decoder = self._decoder or FrameDecoder(client)
        frame = memoryview(bytearray(buf[start:stop]))
        pos = self.pos
        self.pos = pos + stop - start
        if start > pos:
            buf[self.pos : stop] = buf[pos:start]
        remaining = decoder.remaining
        decoder.remaining = decoder.pos = 0
        decoder.decode(frame, len(frame))
        decoder.remaining = remaining

    def _keep(self, buf, end, need, is_full):
        """Keep buf[pos:end], and stop reading if there is no space for more.

        Protocol._keep() copies what goes into an inbox.
        """
        client = self._client
        pool = client._pool
        pos = self.pos
        held = end - pos
        space = pool.read_size
        self.need = 0
        try:
            if max(need, held) > space and held <= pool.inbox_size:
                client._inbox = client._inbox or pool.take()
                space = pool.inbox_size
                self.need = max(need, pool.read_size + 1)
            elif held and not client._in_start:
                client._tail = bytearray(buf[pos:end])  # bytes would be hashed
                self.pos = end
        except MemoryError:
            # There is memory, but not in one piece. TCP keeps the rest.
            self._pieces = [
                bytearray(buf[start : min(start + _PIECE, end)])
                for start in range(pos, end, _PIECE)
            ]
            self.pos = end
            space = 0
        if is_full or held >= space:
            self._pause()

    def _pause(self):
        client = self._client
        if self._paused_at is None:
            self._paused_at = ticks_ms()
            client._half_closed = True
            self._server._update_poll(client)

    def _read_on(self):
        client = self._client
        if self._paused_at is not None:
            self._paused_at = client._pong_due = None
            client._last_heard = ticks_ms()
            client._half_closed = False
            if client._sock is not None:
                self._server._update_poll(client)

    def sweep(self, now: int) -> None:
        """Check the timeout of a client that is not read. Called ten times a second."""
        if self._paused_at is None:
            return
        client = self._client
        if client._state != _OPEN:
            # For its Close.
            if self._pieces:
                self._release()
            else:
                self._read_on()
            return
        if client._pong_due is not None and ticks_diff(now, client._pong_due) >= 0:
            client._pong_due = None  # a Pong cannot be read; the next Ping may fail, however
        limit = self._server._async_timeout
        if limit is not None and ticks_diff(now, self._paused_at) >= limit:
            client._fail(_INTERNAL_ERROR, "coroutine takes too long (async_timeout)")
            self._server._flush(client)
            self._server._drop(client)

    # --- the end of the client

    def stand_in(self) -> None:
        """Be told of events again: a stream of this client has ended."""
        client = self._client
        client._on_lost = self._on_lost
        if self._drained:
            client._is_direct = False
            client._on_drained = self._on_drained

    def _on_lost(self, reason=""):
        client = self._client
        if self._beside:
            self._beside.cancel()
        if self._drained:
            self._drained.set()
        del client._on_lost
        if not self._coroutine and not self._is_working:
            Client._on_lost(client, reason)
            self._generator.close()
            return
        # on_close follows when the coroutine has ended.
        if client._close_code == _ABNORMAL and not client._close_reason:
            client._close_reason = reason
        self._lost = reason
        self._paused_at = None
        client._state = _CLOSED
        client._plain = None
        client._tail = b""
        self._pieces = None
        client._discard()
        client._free_inbox()
        if not self._is_working:
            self._task.cancel()

    # --- drain

    async def drain(self) -> bool:
        """Wait until TCP has taken all that waits. Return False if the connection is lost."""
        client = self._client
        server = self._server
        while getattr(client, "_stream", None):
            await client._stream
        if client._out and client._sock is not None:
            server._write(client)
            if client._out_start == client._out_end:
                client._discard()
        while client._out and client._sock is not None:
            self._drained = self._drained or Event()
            client._is_direct = False
            client._on_drained = self._on_drained
            await self._drained.wait()
        return client._sock is not None

    def _on_drained(self):
        client = self._client
        del client._on_drained
        client._is_direct = not client._tls and not client._route.drain
        self._drained.set()
        self._drained = None
        client._on_drained()
