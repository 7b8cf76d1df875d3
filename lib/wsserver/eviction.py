"""Drop clients that hold buffers, so that the admin gets memory. Loaded for each eviction."""

from .lazy import free_heap


def evict(server, need: int, module: str, client) -> None:
    """Drop clients that hold a buffer until `need` bytes are free.

    These have sent a part of a message, or do not read. Otherwise a few of them could lock the
    admin out. module: the name of the module that needs the memory. client: the client that waits
    for it, which is kept, or None.
    """
    for other in list(server.clients):
        if other is client or other._state or other._route.reserved:
            continue
        if (other._inbox or other._tail or other._out) and free_heap() < need:
            server._drop(other, "%s needs the memory" % module)
