"""Keep the memory of one TLS session, so that the GC heap cannot grow into it.

Loaded for an application on a chip without PSRAM, by gcsetup.release().
"""

from io import BytesIO

from micropython import const

from .log import WARNING

_OBJECTS = const(1024)  # bytes that a session takes of the GC heap, and more


class Spare:
    """A session without a socket, while no connection of the server uses TLS.

    Its buffers are allocated by wrap_socket(). is_open: whether it exists.
    """

    is_open = False

    def __init__(self, server, context):
        self._server = server
        self._context = context
        self._session = None
        self._log = server._log_refusal

    def begin(self, acceptors) -> None:
        """Hold the memory from now on. The server tells this of closed and refused connections."""
        for acceptor in acceptors:
            acceptor._spare = self
        self._server._log_refusal = self._log_refusal
        self.give()

    def make_space(self) -> None:
        """Let the GC heap grow now, if it must for a session: not into memory that TLS will need.

        Raises MemoryError if it cannot.
        """
        bytearray(_OBJECTS)

    def take(self) -> bool:
        """Make space for a connection. Return False if this has no memory to give.

        Raises MemoryError if the GC heap has no space for the connection.
        """
        if not self.is_open:
            return False
        self.make_space()
        self.is_open = False
        self._session.close()
        return True

    def give(self) -> None:
        """Hold the memory again if no connection uses TLS. One has been closed, or refused."""
        if self.is_open or not self._context:
            return
        try:
            for connection in self._server._connections.values():
                if connection._tls:
                    return
            # Closed, it has occupied the part of the GC heap that the new one takes. Else the GC
            # heap might grow now, into the memory of the session.
            self._session = None
            self._session = self._context.wrap_socket(
                BytesIO(), server_side=True, do_handshake_on_connect=False
            )
            self.is_open = True
        except (OSError, MemoryError):
            pass  # the next connection that is closed or refused tries it again

    def _log_refusal(self, ip, reason, *args):
        if reason == "out of memory" or isinstance(reason, MemoryError):
            self.cancel()
        self.give()
        self._log(ip, reason, *args)

    def serves_clients(self) -> bool:
        """Return whether a client holds a buffer: then it is the clients that need memory."""
        for client in self._server.clients:  # noqa: SIM110 - any() needs memory, which may be full
            if client._inbox or client._tail or client._out:
                return True
        return False

    def cancel(self) -> None:
        """Let the GC heap have the memory, since the application needs more than there is.

        The session stays if it is the clients that need it.
        """
        if self.is_open and not self.serves_clients():
            self.end()
            text = "the application needs the memory of TLS: https may end now (docs/tls.md)"
            self._server._log(WARNING, text)

    def end(self) -> None:
        """Free the memory, and never hold it again."""
        if self.is_open:
            self.is_open = False
            self._session.close()
        self._session = self._context = None
