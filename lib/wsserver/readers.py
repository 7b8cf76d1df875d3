"""Rarely used parts of the loop's poll. Loaded while they are called."""

from time import ticks_diff, ticks_us

from .core.frames import const

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


def measured(ipoll, function):
    """Return an ipoll that calls function(microseconds) after each wait."""

    def ipoll_measured(timeout):
        start = ticks_us()
        ready = ipoll(timeout)  # waits here, not while its results are iterated
        function(ticks_diff(ticks_us(), start))
        return ready

    return ipoll_measured
