"""What an application holds of each peer: the connection's protocol with a name, an address and a
place for its own data.
"""

from .protocol import Protocol


class Client(Protocol):
    """A connected WebSocket client.

    `id` is unique as long as the server runs, `address` is (IP, port), `path` and `query` are the
    request's, `subprotocol` is the agreed one or None, `context` is the application's to use.
    `send`, `ping`, `pong`, `close` and `buffered` come from Protocol and Outbox.
    """

    def __init__(self, route, stock, id: int, address: tuple, request, subprotocol):
        super().__init__(route, stock)
        self.id = id
        self.address = address
        self.path = request.path
        self.query = request.query
        self.subprotocol = subprotocol
        self.context = None
        # The server's: the socket, what poll watches it for, and times in ms (of time.ticks_ms).
        self.sock = None
        self.events = 0
        self.heard = 0  # when the peer last gave a sign of life
        self.used = 0  # when it last sent more than a Pong
        self.deadline = None  # when the answer to a ping is due
        self.closing_since = None

    @property
    def text(self) -> bool:
        """In on_chunk: whether the chunk belongs to a text message."""
        return self.reader is not None and self.reader.text

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self.state == 0
