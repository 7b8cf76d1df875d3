"""What a server was told about one of its paths."""


class Route:
    """An endpoint and what the server was told about it, with its callbacks looked up once."""

    def __init__(self, endpoint, subprotocols=(), origins=None, overflow="close", access=None):
        if isinstance(subprotocols, str) or isinstance(origins, str):
            raise ValueError("subprotocols and origins are tuples or lists of str")
        if overflow not in ("close", "drop"):
            raise ValueError("overflow must be 'close' or 'drop', not %r" % (overflow,))
        self.subprotocols = subprotocols
        self.origins = (None, "self") if origins is None else origins
        self.access = access
        self.drops = overflow == "drop"
        for name in ("open", "message", "chunk", "close", "ping", "pong", "drain"):
            setattr(self, name, getattr(endpoint, "on_" + name, None))
        if self.message and self.chunk:
            raise ValueError("an endpoint has on_message or on_chunk, not both")
