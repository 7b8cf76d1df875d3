"""Other sockets in the server's loop, such as one for UDP. Loaded by those who use it."""

import select


def watch(server, sock, function) -> None:
    """Have the loop call function(sock) when there is something to read; now and then also when
    there is not. The socket must not block, and is closed with the server's own when it stops.

    The server must listen. Of a chip's ten sockets one more is in use, so that it takes one HTTP
    exchange less at the same time.
    """
    reception = server._reception
    server.poll.register(sock, select.POLLIN)
    reception.watched.append((sock, function))
    reception.most = max(1, reception.most - 1)
