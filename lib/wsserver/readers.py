"""Rarely used parts of the loop's poll. Loaded while they are called."""

from wsserver.core.frames import const

_REST = const(1000)  # ms that a failing reader is not called
_IN = const(1)  # select.POLLIN


def rest(server, sock, function) -> None:
    """Do not call a reader of Server.add_reader() for a while: it has raised."""
    readers = server._readers
    key = id(sock)

    def resume():
        if readers.get(key, (None, function))[1] is None:  # neither removed nor added again
            readers[key] = (sock, function)
            server._poll.modify(sock, _IN)

    readers[key] = (sock, None)
    server._poll.modify(sock, 0)
    server.after(_REST, resume)
