"""Client.send_stream: messages of any length. Loaded when one is first sent.

A stream is one fragmented message (RFC 6455, section 5.4). Each fragment is put into the client's
send buffer when TCP has taken the one before it, so that a stream needs one buffer. Control frames
may follow any fragment. Other messages wait in a buffer of their own until the stream has ended.
"""

from wsserver.core.buffers import SendBuffer
from wsserver.core.frames import const, payload_of, send, validate_utf8
from wsserver.core.protocol import Client

from .lazy import call, load
from .log import WARNING

_OPEN = const(0)  # states: see core.buffers
_TEXT = const(1)
_BINARY = const(2)
_FINAL = const(0x80)
_TRY_AGAIN_LATER = const(1013)
_HEADER = const(4)  # bytes before the payload of a fragment; 2 if it has less than 126 bytes
_MAX_PIECES = const(32)  # of an iterator in one fragment
_RETRY = const(20)  # ms until a source that would block is read again


class Stream:
    """A message that is being sent. `await` it to learn whether TCP has taken all of it."""

    # What most streams do not change takes no memory in each of them.
    _utf8_state = -1  # of text
    _task: Anything = None  # that iterates an async source
    _is_final = False  # whether the last fragment has been made
    _event: Anything = None  # an asyncio.Event for those that await this
    _taken: Anything = None  # an asyncio.Event for _iterate()
    _result: Anything = None  # whether the message was sent, once that is known
    _is_async = False  # whether the source is an async iterator
    _rest: Anything = b""  # of the latest piece of an iterator

    def __init__(self, client, source, text: bool):
        if getattr(client, "_stream", None):
            raise RuntimeError("send_stream() was called while another stream runs")
        self._client = client
        self._opcode = _TEXT if text else _BINARY  # of the next fragment
        if text:
            self._utf8_state = 0
        self._source: Anything = source
        if not hasattr(source, "readinto") and hasattr(source, "__aiter__"):
            self._is_async = True
        self._read = self._kind_of_source(source)
        if client._state != _OPEN:
            self._result = False
            self._close_source()
            return
        self._queue = _Queue(client)
        self._install()
        if self._is_async:
            start = load(".coroutines").start
            self._task = start(client._pool.server, self._iterate(), self._on_end)
        if not client._out:
            self._fill()

    def __iter__(self):
        # `await` calls this.
        while self._result is None:
            if not self._event:
                from asyncio import Event

                self._event = Event()
            yield from self._event.wait()
        return self._result

    def _kind_of_source(self, source):
        """Return the function that reads the source. Raises TypeError if it is none."""
        if hasattr(source, "readinto"):
            return self._read_file
        if self._is_async:
            return self._read_rest
        if isinstance(source, (str, bytes, bytearray, memoryview)):
            source = (source,)
        try:
            self._source = iter(source)
        except TypeError:
            raise TypeError("source must be a file or an iterator, not %r" % (source,)) from None
        return self._read_iterator

    # --- stand between the client and its send buffer

    def _install(self):
        client = self._client
        self._send = client.send
        client._stream = self
        client._is_direct = False
        client._out_limit = 0  # so that a `send` that the application keeps calls _make_space()
        client.send = self._queue.send
        client._send_frame = self._queue._send_frame
        client._send_control = self._send_control
        client._make_space = self._make_space
        client._on_drained = self._on_drained
        client._on_lost = self._on_lost

    def _uninstall(self):
        client = self._client
        client.send = self._send
        client._stream = None
        del client._send_frame
        del client._send_control
        del client._make_space
        del client._on_drained
        del client._on_lost
        client._is_direct = not client._tls and not client._route.drain
        if client._worker:
            client._worker.stand_in()

    def _make_space(self, size):
        return False

    def _send_control(self, opcode, data):
        client = self._client
        sent = Client._send_control(client, opcode, data)
        client._out_limit = 0
        return sent

    # --- send

    def _on_drained(self):
        """Send the next fragment: TCP has taken the one before it."""
        if self._is_final:
            self._end(True)
            if not self._client._out:
                self._client._on_drained()
        else:
            self._fill()

    def _fill(self):
        """Put the next fragment into the send buffer, if the source has data."""
        client = self._client
        if client._state != _OPEN:
            self._end(False)
            return
        if self._result is not None or self._is_async and not self._has_rest():
            return
        try:
            if not client._reserve(0, client._pool.write_limit):
                raise MemoryError
            client._out_limit = 0
            start = client._out_end
            data = client._out[start + _HEADER : client._pool.write_limit]
            size = self._read(data)
            if size is None:  # it would block
                client._pool.server.after(_RETRY, self._retry)
                return
            if self._utf8_state >= 0:
                self._check_text(data, size)
        except Exception as error:
            self._fail(error)
            return
        out = client._out
        out[start] = self._opcode | (_FINAL if self._is_final else 0)
        self._opcode = 0
        if size < 126:
            out[start + 1] = size
            out[start + 2 : start + 2 + size] = data[:size]
            client._out_end = start + 2 + size
        else:
            out[start + 1] = 126
            out[start + 2] = size >> 8
            out[start + 3] = size & 0xFF
            client._out_end = start + _HEADER + size

    def _retry(self):
        if self._result is None and self._client._out_start == self._client._out_end:
            self._fill()

    def _check_text(self, data, size):
        state = validate_utf8(data, 0, size, self._utf8_state, 0)
        if state < 0 or state and self._is_final:
            raise ValueError("send_stream(text=True) got no valid UTF-8")
        self._utf8_state = state

    def _fail(self, error):
        """End the connection with 1011: the message cannot be completed."""
        self._client._report(error)
        if self._result is None:
            self._end(False)

    # --- read the source: return the bytes that are in `data` now, or None if it would block

    def _read_file(self, data):
        size = self._source.readinto(data)
        if size == 0:
            self._is_final = True
        return size

    def _read_iterator(self, data):
        size = 0
        for _ in range(_MAX_PIECES):
            if not self._rest:
                try:
                    piece = next(self._source)
                except StopIteration:
                    self._is_final = True
                    break
                self._set_rest(piece)
            size += self._take_rest(data, size)
            if size == len(data):
                break
        return size

    def _read_rest(self, data):
        size = self._take_rest(data, 0)
        if not self._rest and self._taken:
            self._taken.set()
        self._is_final = not self._rest and not self._task
        return size

    def _has_rest(self):
        return self._rest or not self._task

    def _set_rest(self, piece):
        self._rest = memoryview(payload_of(piece, "send_stream() takes pieces of"))

    def _take_rest(self, data, start):
        """Copy as much of the latest piece as fits behind data[start]; return how much that is."""
        rest = self._rest
        size = min(len(rest), len(data) - start)
        if size:
            data[start : start + size] = rest[:size]
            self._rest = rest[size:]
        return size

    async def _iterate(self):
        """Get the pieces of an async source, the next one when TCP takes the one before it."""
        from asyncio import Event

        self._taken = Event()
        async for piece in self._source:
            self._set_rest(piece)
            self._taken.clear()
            if not self._client._out:
                self._fill()
            while self._rest and self._result is None:
                await self._taken.wait()
            if self._result is not None:
                return

    def _on_end(self, result, error):
        """Send the last fragment: the async source has ended."""
        self._task = None
        if self._result is not None:
            return
        if error:
            self._fail(error)
        elif not self._client._out:
            self._fill()

    # --- the end

    def _on_lost(self, reason=""):
        if self._result is None:
            self._end(False)
        self._client._on_lost(reason)

    def _end(self, result):
        """Give the send buffer back to the client, with the messages that have waited."""
        client = self._client
        queue = self._queue
        self._result = result
        queue.has_ended = True
        self._uninstall()
        if queue._out:
            if result and client._state == _OPEN:
                client._out = queue._out
                client._out_end = queue._out_end
                client._out_limit = client._pool.write_limit
                client._pool.unsent.append(client)
            else:
                client._pool.give(queue._out)
            queue._out = None
        if self._event:
            self._event.set()
        if self._task:
            task, self._task = self._task, None
            if self._taken:
                self._taken.set()
            try:
                task.cancel()
            except RuntimeError:
                pass  # the task itself calls this
        self._close_source()

    def _close_source(self):
        source, self._source = self._source, None
        if hasattr(source, "close"):
            try:
                source.close()
            except Exception as error:
                self._client._pool.server._report(error)


class _Queue:
    """The messages that wait for the end of a stream: what Client.send needs of a client."""

    _out: Anything = None
    _out_end = 0
    _out_limit = 0
    has_ended = False

    def __init__(self, client):
        self._client = client

    _send_message = send
    _send_other = Client._send_other
    _send_frame = Client._send_frame
    _append = SendBuffer._append

    def send(self, message) -> bool:
        """Send a message after the stream: what Client.send does."""
        if self.has_ended:
            # client.send("%s" % await stream): `send` was looked up before the stream ended.
            return self._client.send(message)
        return self._send_message(message)

    def _make_space(self, size):
        client = self._client
        pool = client._pool
        limit = pool.write_limit
        if client._state != _OPEN:
            return False
        if not self._out:
            try:
                self._out = pool.take()
                self._out_limit = limit
            except MemoryError:
                limit = 0
        if self._out_end + size <= limit:
            return True
        if size > pool.write_limit:
            pool.log(WARNING, call(".core.errors", "too_long", size, limit))
        if not client._route.drops:
            reason = "send buffer full" if self._out else "out of memory"
            client._fail(_TRY_AGAIN_LATER, reason)
        return False
