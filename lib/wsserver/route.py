"""What a server was told about one of its paths. Loaded for each path, and dropped again."""


class Route:
    """An endpoint and what the server was told about it, with its callbacks looked up once.

    Only data: what stays of this module while the server runs is to be small. There is also an
    attribute for each callback, by its name without on_, or None.
    """

    subprotocols: tuple
    origins: tuple
    access: object
    drops: bool  # whether a message that finds no room is dropped
    message: object
    chunk: object


def route_to(endpoint, subprotocols=(), origins=None, overflow="close", access=None) -> Route:
    """The Route to an endpoint: see Server.websocket. ValueError: the arguments do not fit."""
    if isinstance(subprotocols, str) or isinstance(origins, str):
        raise ValueError("subprotocols and origins are tuples or lists of str")
    if overflow not in ("close", "drop"):
        raise ValueError("overflow must be 'close' or 'drop', not %r" % (overflow,))
    route = Route()
    route.subprotocols = subprotocols
    route.origins = (None, "self") if origins is None else origins
    route.access = access
    route.drops = overflow == "drop"
    for name in ("open", "message", "chunk", "close", "ping", "pong", "drain"):
        setattr(route, name, getattr(endpoint, "on_" + name, None))
    if route.message and route.chunk:
        raise ValueError("an endpoint has on_message or on_chunk, not both")
    return route
