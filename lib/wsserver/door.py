"""The way in for TLS: how many may come, and what for.

Loaded when a server begins to listen with TLS.
"""

from .frames import const

# What a TLS session takes of an ESP32's own memory, and the buffer that must be in one piece.
_SESSION = const(24000)
_RECORD = const(17500)


class Door:
    """Lets TLS connections in, up to the server's limit, and as long as there is memory."""

    def __init__(self, server, context):
        self.server = server
        self.context = context

    def wrap(self, sock):
        """The TLS stream on top of a socket that does not block. The handshake is done by reading.

        OSError: there is no place, or no memory.
        """
        secure = [one for one in self.server.connections.values() if one.secure]
        if len(secure) >= self.server.max_tls:
            raise OSError("max_tls is %d" % self.server.max_tls)
        if not _has_memory():
            raise OSError("not enough memory for one more TLS session")
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def _has_memory():
    """Whether one more session would fit. It is not in MicroPython's heap."""
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:  # not an ESP32
        return True
    free = [region[2] for region in idf_heap_info(HEAP_DATA)]
    return sum(free) >= _SESSION and max(free) >= _RECORD
