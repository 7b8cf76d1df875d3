"""Tell whether the admin's pages can be used over TLS. Loaded for one request without it."""

from wsserver.core.frames import const

from .lazy import call, free_heap, load

_NEED = const(18000)  # bytes of the GC heap that they take: see admin.register


def check(server) -> bool:
    """Return whether there is memory for a TLS connection, and for the pages beside it.

    The GC heap cannot grow into the memory of the spare session. If the application does not leave
    enough of it, the spare session is given up.
    """
    if any(client.secure for client in server.clients):
        return True
    for acceptor in server._acceptor.tls.values():
        spare = acceptor._spare
        if spare and spare.is_open:
            return free_heap() >= call(".inplace", "need", _NEED, __file__) or not spare.cancel()
    return load(".tls").has_memory()
