"""Build WebSocket frames and send them over a raw connection, valid or broken on purpose.

The one client of the tests, the fuzzers, the soak test and the benchmarks. It adds nothing and
corrects nothing: every byte that is sent is the caller's.
"""

from __future__ import annotations

import random
import socket
import ssl
from typing import TypeVar

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"  # RFC 6455, section 5.7
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

_Client = TypeVar("_Client", bound="RawClient")


class RefusedError(OSError):
    """The server refused or closed the connection."""


def request(path: str = "/ws", *headers: str) -> bytes:
    """Build a valid opening handshake, with further header lines."""
    lines = REQUEST.format(path=path).removesuffix("\r\n")
    return "".join([lines, *(f"{line}\r\n" for line in headers), "\r\n"]).encode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length_bytes: int | None = None,
    key: bytes = KEY,
) -> bytes:
    """Build a frame. length_bytes: 0, 2 or 8 to force that form of the length field."""
    length = len(payload)
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 0x10000 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([final << 7 | reserved << 4 | opcode, masked << 7 | short])
    head += length.to_bytes(length_bytes, "big") if length_bytes else b""
    return head + key + mask(payload, key) if masked else head + payload


def random_frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0
) -> bytes:
    """Build a frame with a random masking key."""
    return frame(opcode, payload, final=final, reserved=reserved, key=random.randbytes(4))


def mask(payload: bytes, key: bytes) -> bytes:
    """Return the payload masked, or unmasked, with a key of four bytes."""
    length = len(payload)
    pad = (key * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return masked.to_bytes(length, "big")


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    """Build a client's Close frame."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def parse_server(data: bytes) -> list[tuple[int, bytes]]:
    """Return the (opcode, payload) of each frame that a server sent.

    Raises AssertionError if a frame is cut off, fragmented, masked or longer than needed.
    """
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, "the server's frame is fragmented or has reserved bits"
        assert data[1] < 0x80, "the server's frame is masked"
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
            assert length > 125, "the server's frame has a length that is not the shortest form"
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
            assert length > 0xFFFF, "the server's frame has a length that is not the shortest form"
        assert len(data) >= start + length, "the server's frame is cut off"
        frames.append((data[0] & 15, data[start : start + length]))
        data = data[start + length :]
    return frames


class RawClient:
    """A blocking TCP or TLS connection to a server. tls: True trusts any certificate.

    Reading raises RefusedError if the server closes the connection. `data` holds the bytes that
    were received and not read yet.
    """

    def __init__(
        self,
        port: int,
        address: str = "127.0.0.1",
        *,
        tls: bool | ssl.SSLContext = False,
        timeout: float = 20,
        source: str | None = None,
        receive_buffer: int | None = None,
    ):
        self.data = b""
        self.sock = socket.socket()
        try:
            if receive_buffer:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.sock.settimeout(timeout)
            if source:
                self.sock.bind((source, 0))
            self.sock.connect((address, port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is True:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
            if tls:
                self.sock = tls.wrap_socket(self.sock, server_hostname=address)
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self: _Client) -> _Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def open(self: _Client, path: str = "/ws", *headers: str, then: bytes = b"") -> _Client:
        """Do the opening handshake with further header lines, and `then` in the same packet.

        Raises RefusedError if the status is not 101.
        """
        self.send(request(path, *headers) + then)
        head = self.until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise RefusedError(head.split(b"\r\n")[0].decode("latin-1"))
        return self

    def send(self: _Client, data: bytes) -> _Client:
        """Send bytes as they are."""
        self.sock.sendall(data)
        return self

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        while len(self.data) < size:
            self.receive()
        found, self.data = self.data[:size], self.data[size:]
        return found

    def until(self, *ends: bytes) -> bytes:
        """Return everything up to and including the first of `ends` that arrives."""
        while True:
            for end in ends:
                if end in self.data:
                    found, self.data = self.data.split(end, 1)
                    return found + end
            self.receive()

    def rest(self) -> bytes:
        """Return everything that arrives until the server closes the connection."""
        while data := self.sock.recv(65536):
            self.data += data
        found, self.data = self.data, b""
        return found

    def receive(self) -> None:
        """Append what arrives next to `data`."""
        data = self.sock.recv(65536)
        if not data:
            raise RefusedError("the server closed the connection after %r" % self.data[:200])
        self.data += data

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame as (opcode, payload)."""
        head = self.read(2)
        extra = self.read({126: 2, 127: 8}.get(head[1], 0))
        length = int.from_bytes(extra, "big") if extra else head[1] & 0x7F
        return parse_server(head + extra + self.read(length))[0]

    def message(self) -> bytes:
        """Return the next text or binary message and answer each Ping before it.

        Raises RefusedError if a Close frame arrives.
        """
        while True:
            opcode, payload = self.frame()
            if opcode in (TEXT, BINARY):
                return payload
            if opcode == PING:
                self.send(random_frame(PONG, payload))
            elif opcode == CLOSE:
                raise RefusedError("closed with %d" % int.from_bytes(payload[:2], "big"))

    def close_code(self) -> int:
        """Skip frames up to a Close frame and return its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def reset(self) -> None:
        """Close the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()
