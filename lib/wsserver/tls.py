"""TLS: wrap accepted sockets, up to max_tls and while memory allows."""

from wsserver.core.frames import const

# Bytes that a TLS session takes of an ESP32's IDF heap, and the largest block among them.
_SESSION = const(24000)
_RECORD = const(17500)


class TLSAcceptor:
    """Wrap sockets of one listener in TLS."""

    def __init__(self, context, max_tls: int, reserved: int):
        self._context = context
        self._max_tls = max_tls
        self._max_clients = max(1, max_tls - reserved)

    def wrap(self, sock, connections):
        """Return the TLS stream on top of a non-blocking socket. Reading does the handshake.

        connections: those that are open. Raises OSError if max_tls of them use TLS, or if there is
        not enough memory.
        """
        if self.is_full(connections):
            raise OSError("max_tls is %d (tls.max_clients)" % self._max_tls)
        if not has_memory():
            raise OSError("not enough memory for another TLS session")
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def is_full(self, connections, client: bool = False) -> bool:
        """Return whether max_tls of the open connections use TLS.

        client: without the reserved slots, which are for pages.
        """
        count = 0
        for connection in connections:
            count += connection._secure
        return count >= (self._max_clients if client else self._max_tls)


def has_memory() -> bool:
    """Return whether another session fits in the IDF heap."""
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:  # not an ESP32
        return True
    free = [region[2] for region in idf_heap_info(HEAP_DATA)]
    return sum(free) >= _SESSION and max(free) >= _RECORD
