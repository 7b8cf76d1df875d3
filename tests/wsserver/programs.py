"""Programs that use the library: short scripts in a MicroPython process, and applications on
virtual boards, with a connection that can send anything.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tools.virtualboard import find_micropython
from tools.wsclient import CLOSE, parse_server

REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def run_script(lib: Path, source: str, folder: Path, seconds: float = 30, heap: str = "4m") -> str:
    """Run a script that finds the library in `lib`, and return what it prints.

    Raises AssertionError if it ends with an exception.
    """
    script = folder / "script.py"
    script.write_text(source)
    start = f"import sys; sys.path[:] = [{str(folder)!r}, {str(lib)!r}, '.frozen']; import script"
    process = subprocess.run(
        [*find_micropython(), "-X", f"heapsize={heap}", "-c", start],
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=folder,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    return process.stdout


class Peer:
    """A TCP connection to a virtual board."""

    def __init__(self, board, port=None, receive_buffer=None, source=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((board.address, port or board.http_port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""

    def send(self, data: bytes) -> Peer:
        self.sock.sendall(data)
        return self

    def open(self, path: str = "/ws") -> Peer:
        """Complete the opening handshake."""
        self.send(REQUEST.format(path=path).encode())
        head = self.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return self

    def until(self, end: bytes) -> bytes:
        """Read up to the first `end`, and return it all."""
        while end not in self._data:
            self._receive()
        found, self._data = self._data.split(end, 1)
        return found + end

    def rest(self) -> bytes:
        """Read until the board closes the connection."""
        while True:
            data = self.sock.recv(65536)
            if not data:
                found, self._data = self._data, b""
                return found
            self._data += data

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame: (opcode, payload)."""
        head = self._take(2)
        size = {126: 2, 127: 8}.get(head[1], 0)
        extra = self._take(size)
        length = int.from_bytes(extra, "big") if size else head[1]
        return parse_server(head + extra + self._take(length))[0]

    def close_code(self) -> int:
        """Read frames up to a Close, and return its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def get(self, path: str, *headers: str) -> tuple[int, bytes]:
        """Send a GET request and return (status, body); the board closes the connection."""
        lines = "".join(f"{header}\r\n" for header in headers)
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        head, _, body = self.rest().partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def reset(self) -> None:
        """Vanish with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def _take(self, size):
        while len(self._data) < size:
            self._receive()
        found, self._data = self._data[:size], self._data[size:]
        return found

    def _receive(self):
        data = self.sock.recv(65536)
        assert data, f"the board closed the connection after {self._data!r}"
        self._data += data
