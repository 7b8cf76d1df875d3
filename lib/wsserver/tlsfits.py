"""Tell whether the admin's pages can be used over TLS. Loaded for one request without it."""

from wsserver.core.frames import const

from .lazy import call, free_heap, load

_NEED = const(18000)  # bytes of the GC heap that they take: see admin.register


def check(server) -> bool:
    """Return whether a TLS connection can be opened, or one that will soon end is open.

    Clients may hold all places. The GC heap cannot grow into the memory of the spare session: if
    the application does not leave enough for the pages beside it, give_up() follows when the
    password is right. From then on, a TLS connection may fit, but not the pages beside it.
    """
    if any(connection._tls for connection in server._acceptor.http_connections):
        return True
    clients = sum(client.secure for client in server.clients)
    acceptors = server._acceptor.tls.values()
    if all(clients >= acceptor._max_tls for acceptor in acceptors):
        return False
    for acceptor in acceptors:
        spare = acceptor._spare
        if spare and (spare.is_open or not spare._context):  # it has no context once given up
            need = call(".inplace", "need", _NEED, __file__)
            if free_heap() < need and not spare.serves_clients():
                return False
            if spare.is_open:
                return True
    return load(".tls").has_memory()


def give_up(server) -> None:
    """Give up the spare session if there is one, so that the GC heap has memory for the pages."""
    for acceptor in server._acceptor.tls.values():
        if acceptor._spare:
            acceptor._spare.cancel()
