"""Routes: what the server knows about a path. Loaded while one is made."""

from ..core.protocol import Route


def make_route(
    endpoint, subprotocols=(), origins=None, overflow="close", access=None, reserved=False
) -> Route:
    """Make a Route from the arguments of Server.websocket.

    Raises ValueError if they are not valid.
    """
    if isinstance(subprotocols, str) or isinstance(origins, str):
        raise ValueError("subprotocols and origins are tuples or lists of str")
    if reserved and not access:
        raise ValueError("reserved needs access: everybody could take the reserved slot")
    if overflow not in ("close", "drop"):
        raise ValueError("overflow must be 'close' or 'drop', not %r" % (overflow,))
    route = Route()
    route.subprotocols = subprotocols
    route.origins = origins
    route.access = access
    route.reserved = reserved
    route.drops = overflow == "drop"
    for name in ("open", "message", "chunk", "close", "ping", "pong", "drain"):
        setattr(route, name, getattr(endpoint, "on_" + name, None))
    if route.message and route.chunk:
        raise ValueError("an endpoint has on_message or on_chunk, not both")
    return route
