"""A WebSocket client that may misbehave: blocking, bytes in hand, for the soak and the fuzzers."""

from __future__ import annotations

import random
import socket
import ssl

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class RefusedError(OSError):
    """The board did not take the connection: no place, or it was told to go."""


def request(path: str) -> bytes:
    """A handshake that is in order."""
    return REQUEST % path.encode()


def frame(opcode: int, payload: bytes = b"", first: int = 0x80) -> bytes:
    """A client's frame, with a random key. `first`: the bits beside the opcode."""
    length = len(payload)
    key = random.randbytes(4)
    head = bytes((first | opcode, 0x80 | min(length, 126 if length < 0x10000 else 127)))
    if length > 125:
        head += length.to_bytes(2 if length < 0x10000 else 8, "big")
    pad = (key * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + key + masked.to_bytes(length, "big")


class Peer:
    """One TCP or TLS connection to a server. OSError, of which RefusedError is one: it is gone."""

    def __init__(
        self, port: int, tls: bool = False, timeout: float = 20, source: str | None = None
    ):
        self.sock = socket.create_connection(
            ("127.0.0.1", port), timeout, (source, 0) if source else None
        )
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            try:
                self.sock = context.wrap_socket(self.sock)
            except BaseException:
                self.sock.close()
                raise

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_) -> None:
        self.sock.close()

    def open(self, path: str) -> Peer:
        """The opening handshake. RefusedError: anything but 101."""
        self.sock.sendall(request(path))
        while b"\r\n\r\n" not in self.data:
            self._read()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise RefusedError(head.split(b"\r\n")[0].decode("latin-1"))
        return self

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        """The next frame: (opcode, payload)."""
        head = self.take(2)
        length = head[1]
        if length > 125:
            length = int.from_bytes(self.take(2 if length == 126 else 8), "big")
        return head[0] & 15, self.take(length)

    def message(self) -> bytes:
        """The next text or binary message; a Ping before it is answered. RefusedError: a Close."""
        while True:
            opcode, payload = self.receive()
            if opcode in (TEXT, BINARY):
                return payload
            if opcode == PING:
                self.send(frame(PONG, payload))
            elif opcode == CLOSE:
                raise RefusedError("closed with %d" % int.from_bytes(payload[:2], "big"))

    def take(self, size: int) -> bytes:
        while len(self.data) < size:
            self._read()
        found, self.data = self.data[:size], self.data[size:]
        return found

    def _read(self):
        data = self.sock.recv(65536)
        if not data:
            raise RefusedError("the board closed the connection")
        self.data += data

    def reset(self) -> None:
        """Vanish with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
