"""Methods of Client that not every program uses. Client loads them when one is first called."""

from .core.protocol import Client
from .lazy import load


def drain(client):
    """Return a coroutine that waits until TCP has taken all data that waits.

    It returns False if the connection was closed before.
    """
    return load("wsserver.workers").worker_of(client).drain()


Client.drain = drain  # type: ignore[attr-defined]
