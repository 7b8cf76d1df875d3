"""Methods of Client that not every program uses. Client loads them when one is first called."""

from .core.protocol import Client
from .lazy import load


def drain(client):
    """Return a coroutine that waits until TCP has taken all data that waits.

    It returns False if the connection was closed before.
    """
    return load("wsserver.workers").worker_of(client).drain()


def join(client, group: str) -> None:
    """Add a client to a group, for broadcast(group=...). Raises TypeError if it is no str."""
    if not isinstance(group, str):
        raise TypeError("group must be a str, not %r" % (group,))
    if group not in client._groups:
        client._groups += (group,)


def leave(client, group: str) -> None:
    """Remove a client from a group; ignored if it is not in it."""
    client._groups = tuple([other for other in client._groups if other != group])


def send_stream(client, source, text: bool = False):
    """Send one message of any length: see docs/api.md. Return the Stream, which can be awaited."""
    return load("wsserver.streams").Stream(client, source, text)


Client.drain = drain  # type: ignore[attr-defined]
Client.join = join  # type: ignore[attr-defined]
Client.leave = leave  # type: ignore[attr-defined]
Client.send_stream = send_stream  # type: ignore[attr-defined]
