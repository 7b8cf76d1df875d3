"""Buffers: bounded, borrowed from a common stock only while there is something in them.

A client that has nothing waiting owns no buffer, so that a hundred idle clients cost none, and
buffers of one size come and go without fragmenting the heap. Pure: the server writes
out[out_start:out_end] to the socket and moves out_start.
"""

from array import array

# The states of a WebSocket connection:
OPEN = 0
CLOSING = 1  # our Close is sent, the peer's is awaited, and no message delivered any more
FAILED = 2  # the same after an error of the peer, which gets less time
CLOSED = 3  # nothing more to receive; TCP is closed when the outbox is empty

_NONE = memoryview(b"")  # no buffer


class Stock:
    """What all connections of a server share: spare buffers, limits, and the list of those with
    something to send.
    """

    def __init__(self, max_size: int, write_limit: int, log):
        self.max_size = max_size  # bytes in the largest message that is taken in one piece
        self.write_limit = write_limit  # bytes of data that may wait in one send buffer
        self.log = log
        # Of the messages that are being delivered: where in the buffer the next frame begins, and
        # how many there were.
        self.progress = array("i", (0, 0))
        self.ready = []  # outboxes that have begun to fill since the server looked last
        # The server's functions: write what the network takes of an outbox right now; call a
        # callback and say so if it takes long.
        self.flush = self.timed = None
        # Bytes that wait in a connection's inbox, at most: a message with its header, and a
        # control frame among its fragments.
        self.in_size = max_size + 160
        self.read_size = self.in_size  # bytes that are read at once
        # The last bytes of a send buffer are for control frames, so that a Close finds room in a
        # full one.
        self._buffer_size = max(write_limit + 270, self.in_size)
        # The first while the heap is still in one piece.
        self._spare = [memoryview(bytearray(self._buffer_size))]

    def take(self) -> memoryview:
        """Borrow a buffer. MemoryError when there is none.

        Before one more is allocated, the outbox that took one last is written: who sends to many
        clients in a row needs one buffer for all those that take what they get at once.
        """
        if not self._spare and self.ready and self.flush:
            latest = self.ready[-1]
            self.flush(latest)
            if latest.out_start == latest.out_end:
                latest.discard()
        if self._spare:
            return self._spare.pop()
        return memoryview(bytearray(self._buffer_size))

    def give(self, buffer: memoryview) -> None:
        """Return a buffer; two are kept for the next who needs one, the others go back to the
        heap.
        """
        if len(self._spare) < 2:
            self._spare.append(buffer)


class Outbox:
    """The bytes that wait to be sent to one peer: out[out_start:out_end].

    What most connections never change is kept in the class, here and in the classes below: it
    costs each of them nothing.
    """

    bytes = 0  # that were received; begins again at 2 ** 30, where a chip's small integers end
    deaf = False  # the peer sends no more, but still reads
    secure = False  # it speaks TLS
    raw = None  # then: the socket that its TLS stream is on top of
    # Bytes that TLS was offered and has not taken. It has a record of them ready, and must be
    # offered as many the next time: it would take what is beyond for sent.
    owed = 0

    def __init__(self, stock: Stock):
        self.stock = stock
        self.inbox = None  # a buffer, where what was received could not be used up at once
        self.out = _NONE
        self.out_start = 0
        self.out_end = 0
        self.out_limit = 0  # data may be put as far as this without asking for room

    def room(self, size: int, limit: int) -> bool:
        """Make room for `size` bytes behind out_end, such that at most `limit` wait. False when
        there is none.
        """
        if not self.out:
            try:
                self.out = self.stock.take()
            except MemoryError:
                return False
            self.stock.ready.append(self)
            self.out_limit = self.stock.write_limit
        if self.out_end + size <= limit:
            return True
        if self.stock.flush:
            self.stock.flush(self)
        waiting = self.out_end - self.out_start
        if waiting + size > limit:
            return False
        self.out[:waiting] = self.out[self.out_start : self.out_end]
        self.out_start = 0
        self.out_end = waiting
        return True

    def put(self, data) -> None:
        """Append bytes for which `room` has been made."""
        end = self.out_end + len(data)
        self.out[self.out_end : end] = data
        self.out_end = end

    def discard(self) -> None:
        """Forget all that waits and return the buffer."""
        if self.out:
            self.stock.give(self.out)
            self.out = _NONE
            self.out_start = self.out_end = self.out_limit = 0
