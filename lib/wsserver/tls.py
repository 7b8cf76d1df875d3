"""TLS: wrap accepted sockets, up to max_tls and while memory allows."""

from wsserver.core.frames import const

# Bytes that a TLS session takes of an ESP32's IDF heap, and the largest block among them.
_SESSION = const(24000)
_RECORD = const(17500)


class TLSAcceptor:
    """Wrap sockets of one listener in TLS. _spare: a tlsspare.Spare, or None."""

    _spare: "Anything" = None

    def __init__(self, context, max_tls: int, reserved: int):
        self._context = context
        self._max_tls = max_tls
        self._max_clients = max(1, max_tls - reserved)

    def wrap(self, sock, server):
        """Return the TLS stream on top of a non-blocking socket. Reading does the handshake.

        Raises OSError if max_tls connections use TLS, or if there is not enough memory.
        """
        if self.is_full(server):
            raise OSError("max_tls is %d (tls.max_clients)" % self._max_tls)
        if not (self._spare and self._spare.take() or has_memory()):
            raise OSError("no memory for another TLS session")
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def is_full(self, server, client: bool = False) -> bool:
        """Return whether max_tls connections use TLS.

        client: of clients only, and without the reserved slots, which are for pages.
        """
        count = 0
        for connection in server.clients if client else server._connections.values():
            count += connection._tls is not None
        return count >= (self._max_clients if client else self._max_tls)


def has_memory() -> bool:
    """Return whether another session fits in the IDF heap."""
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:  # not an ESP32
        return True
    free = [region[2] for region in idf_heap_info(HEAP_DATA)]
    return sum(free) >= _SESSION and max(free) >= _RECORD
