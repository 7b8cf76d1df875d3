"""What an application holds of each peer: the connection's protocol with a name, an address and a
place for its own data.
"""

from .protocol import Protocol


class Client(Protocol):
    """A connected WebSocket client.

    `id` is unique as long as the server runs, `address` is (IP, port), `path` and `query` are the
    request's, `subprotocol` is the agreed one or None, `context` is the application's to use.
    `buffered` is how many bytes wait to be handed to TCP, headers included, `messages` how many
    have been received, `bytes` how much with all headers (it begins again at 2 ** 30), `is_open`
    whether messages can still be sent, and `text`, in on_chunk, whether the chunk is of a text
    message.
    `send`, `ping`, `pong` and `close` come from Protocol.
    """

    subprotocol = None
    context = None
    counted_messages = counted_bytes = 0  # those that `limits` has seen
    # The server's, in ms of time.ticks_ms:
    deadline = None  # when the answer to a ping is due
    closing_since = None

    def __init__(self, route, stock, id: int, address: tuple, request, subprotocol):
        super().__init__(route, stock)
        # What is called most is found at once, not after a search of this dict and two classes.
        self.send = self.send
        self.id = id
        self.address = address
        self.path = request.path
        self.query = request.query
        if subprotocol:
            self.subprotocol = subprotocol
        # The server's: the socket, what poll watches it for, and times in ms (of time.ticks_ms).
        self.sock = None
        self.events = 0
        self.heard = 0  # when the peer last gave a sign of life
        self.used = 0  # when it last sent more than a Pong

    def __getattr__(self, name):
        # What would be properties, if one of these did not make MicroPython look through all base
        # classes at every assignment to self, which then takes four times as long.
        if name == "buffered":
            return self.out_end - self.out_start
        if name == "is_open":
            return self.state == 0
        if name == "text":
            return self.reader is not None and self.reader.text
        raise AttributeError(name)
