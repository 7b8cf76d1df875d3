"""A connection that is not a WebSocket client: one HTTP request comes in; it is upgraded, or
answered and closed.
"""

from .frames import const
from .handshake import HTTPError
from .outbox import Outbox

READING = const(0)  # the request head
ANSWERING = const(1)
# Answered: the peer is to close first, else unread bytes would turn our FIN into a RST.
LINGERING = const(2)


class Visitor(Outbox):
    """One HTTP exchange.

    `serve(visitor, head, buf, pos, end)` is called once the head is complete.
    """

    # As a Protocol has it:
    pongs = 0
    tail = b""

    def __init__(self, stock, sock, address, serve, max_head: int, now: int):
        super().__init__(stock)
        self.sock = sock
        self.address = address
        self.events = 0
        self.state = READING
        self.since = self.heard = self.used = now  # ms
        self._serve = serve
        self._max_head = max_head
        self._head = b""
        self._file = None

    def receive(self, buf, pos: int, end: int) -> None:
        """Collect the head from buf[pos:end]; what follows it there is the upgraded client's, or
        ignored.
        """
        if self.state != READING:
            return
        most = self._max_head
        # What is behind a head can be long, and is not copied.
        head = self._head + bytes(buf[pos : min(end, pos + most + 4)])
        length = head.find(b"\r\n\r\n")
        if length > most or length < 0 and len(head) > most + 3:
            self.answer(HTTPError(431, "at most %d bytes" % most).response())
        elif length < 0:
            self._head = head
        else:
            pos += length + 4 - len(self._head)
            self._head = b""
            try:
                self._serve(self, head[:length], buf, pos, end)
            except HTTPError as error:
                self.answer(error.response())

    def answer(self, response: bytes, file=None) -> None:
        """Send a response head (or a whole response), then the rest of `file` if one is given."""
        self._file = file
        self.state = LINGERING  # if there is no memory for an answer
        if self.room(len(response), self.stock.write_limit):
            self.put(response)
            self.state = ANSWERING

    def hear_end(self) -> bool:
        """The peer sends no more. False: then there is nothing to be done for it."""
        self.deaf = self.state == ANSWERING
        return self.deaf

    def drained(self) -> None:
        """What was queued is sent: queue more of the file, or wait for the peer to close."""
        if self._file and self.room(0, 0):
            try:
                self.out_end = self._file.readinto(self.out)
            except OSError:
                pass  # the flash is broken: the peer sees that the body is too short
            if self.out_end:
                return
            self.discard()
        self.state = LINGERING

    def lost(self, reason: str = "") -> None:
        """The connection is gone, or is another's now."""
        self.discard()
        self._serve = None
        if self._file:
            self._file.close()
