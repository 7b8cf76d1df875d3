"""Send buffers, and the pool that lends them to connections.

A connection with nothing to send has no buffer, so that idle clients need little memory. All
buffers have the same size and are reused, so that they do not fragment the heap.
"""

from array import array

from .frames import const, micropython

# The states of a WebSocket connection, which each module that uses them defines as _OPEN etc.,
# because a constant takes no memory in its own module only:
# 0 OPEN
# 1 CLOSING: our Close is sent; no message is delivered until the peer's Close arrives
# 2 FAILED: the same after a protocol error, with a shorter timeout
# 3 CLOSED: nothing more is received; TCP is closed when the send buffer is empty

# Bytes behind write_limit that are reserved for control frames, so that a Close fits in a full
# buffer: two control frames of 125 bytes with their headers, and a little more.
_RESERVE = const(270)
_FRAGMENTS = const(
    160
)  # bytes beside a message: its header, and a control frame between its fragments
_MAX_SPARE = const(2)  # buffers that are kept for reuse


class BufferPool:
    """The state that all connections of a server share: buffers, size limits, and the list of
    connections with data to send.
    """

    def __init__(self, max_size: int, write_limit: int, log):
        self.max_size = max_size  # bytes of the longest message that is delivered as a whole
        self.write_limit = write_limit  # bytes of data that may wait in one send buffer
        self.log = log
        # Results of native.deliver: the position of the next frame, and the number of messages.
        self.progress = array("i", (0, 0))
        self.unsent = []  # connections whose buffer is in use since the loop last looked
        # Functions of the server. write(connection) sends as much as TCP takes now.
        # call(callback, name, client, args) calls a callback and measures how long it takes.
        self.write = self.call = self.server = None
        self.inbox_size = max_size + _FRAGMENTS
        self.read_size = self.inbox_size  # bytes per read
        self._buffer_size = max(write_limit + _RESERVE, self.inbox_size)
        # Allocate the first one now, before the heap is fragmented.
        self._spare = [memoryview(bytearray(self._buffer_size))]

    def take(self) -> memoryview:
        """Borrow a buffer.

        Before another one is allocated, the data of the last borrower is written to its socket.
        So sending to many clients in a row needs only one buffer.
        Raises MemoryError if there is none.
        """
        if not self._spare and self.unsent and self.write:
            latest = self.unsent[-1]
            self.write(latest)
            if latest._out_start == latest._out_end:
                latest._discard()
        if self._spare:
            return self._spare.pop()
        return memoryview(bytearray(self._buffer_size))

    def give(self, buffer: memoryview) -> None:
        """Return a buffer. Two are kept, others are freed."""
        if len(self._spare) < _MAX_SPARE:
            self._spare.append(buffer)


class SendBuffer:
    """The bytes that wait to be sent to one peer: _out[_out_start:_out_end].

    The base class of all connections. Attributes that most connections never change are defined in
    the class, here and below, which saves memory for each connection.
    """

    _bytes = 0  # received, modulo 2 ** 30, where the small integers of a 32-bit chip end
    _half_closed = False  # the peer sends no more, but still reads
    _plain = None  # the function for messages; see Protocol
    _pongs = 0  # received since the server looked last
    _tail = b""  # received bytes that are put before those of the next read
    _is_direct = False  # without TLS and on_drain: the server may write replies at once
    _tls = None  # with TLS: the TLSAcceptor
    _raw = None  # with TLS: the socket below the TLS stream
    # Bytes that TLS has put into a record but not sent. The next write must have the same
    # length, because TLS would count any further bytes as sent.
    _tls_pending = 0

    def __init__(self, pool: BufferPool):
        self._pool = pool
        self._inbox: Anything = None  # a buffer with received data that is not yet processed
        self._out: Anything = None  # the buffer, if one is in use
        self._out_start = 0
        self._out_end = 0
        self._out_limit = 0  # data may be written up to here without _reserve()

    def _free_inbox(self) -> None:
        """Return the inbox as soon as its data is used: the reply may need a buffer."""
        if self._inbox:
            self._pool.give(self._inbox)
            self._inbox = None

    def _on_eof(self) -> bool:
        """Return whether to keep the connection although the peer sends no more."""
        return False

    def _use_tls(self, raw, acceptor) -> None:
        """Note that the connection uses TLS on top of the socket `raw`."""
        self._tls = acceptor
        self._is_direct = False
        self._raw = raw
        self._tls_pending = 0  # allocated now: later there may be no memory for the attribute

    @micropython.native
    def _reserve(self, size: int, limit: int) -> bool:
        """Make space for `size` bytes behind _out_end, with at most `limit` bytes waiting.

        Return False if there is no space or no memory.
        """
        if not self._out:
            try:
                self._out = self._pool.take()
            except MemoryError:
                return False
            self._pool.unsent.append(self)
            self._out_limit = self._pool.write_limit
        if self._out_end + size <= limit:
            return True
        if self._pool.write:
            self._pool.write(self)
        waiting = self._out_end - self._out_start
        if waiting + size > limit:
            return False
        self._out[:waiting] = self._out[self._out_start : self._out_end]
        self._out_start = 0
        self._out_end = waiting
        return True

    def _append(self, data) -> None:
        """Append bytes for which _reserve() has made space."""
        if data:  # a slice allocates memory, which an empty Ping must not
            end = self._out_end + len(data)
            self._out[self._out_end : end] = data
            self._out_end = end

    def _discard(self) -> None:
        """Discard the waiting data, and return the buffer."""
        if self._out:
            self._pool.give(self._out)
            self._out = None
            self._out_start = self._out_end = self._out_limit = 0
