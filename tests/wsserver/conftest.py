"""Boards that run lab.py instead of the demo, and raw connections to them."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from tests.wire import CLOSE, parse_server
from tools.virtualboard import VirtualBoard

LAB = Path(__file__).with_name("lab.py")
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Raw:
    """A TCP connection to a board that can say anything."""

    def __init__(self, board, port=None, receive_buffer=None, source=None):
        # A real board broadcasts, unless its config.json says otherwise.
        self.ignored = None if isinstance(board, VirtualBoard) else b"Server broadcast: "
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((board.address, port or board.http_port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def until(self, *ends):
        """Read until one of `ends` occurs; returns what comes up to its end and keeps the rest."""
        while True:
            for end in ends:
                if end in self.data:
                    found, self.data = self.data.split(end, 1)
                    return found + end
            self._read()

    def read(self, size):
        while len(self.data) < size:
            self._read()
        found, self.data = self.data[:size], self.data[size:]
        return found

    def _read(self):
        data = self.sock.recv(65536)
        assert data, "the board closed the connection after %r" % self.data
        self.data += data

    def rest(self):
        """All that comes until the board closes the connection."""
        while True:
            data = self.sock.recv(65536)
            if not data:
                found, self.data = self.data, b""
                return found
            self.data += data

    def open(self, path="/ws", then=b""):
        """Do the handshake, with `then` in the same packet."""
        self.send(REQUEST.format(path=path).encode() + then)
        head = self.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return self

    def frame(self):
        """The next frame: (opcode, payload)."""
        opcode, payload = self._any_frame()
        while self.ignored and payload.startswith(self.ignored):
            opcode, payload = self._any_frame()
        return opcode, payload

    def _any_frame(self):
        head = self.read(2)
        size = {126: 2, 127: 8}.get(head[1], 0)
        extra = self.read(size)
        length = int.from_bytes(extra, "big") if size else head[1]
        return parse_server(head + extra + self.read(length))[0]

    def close_code(self):
        """Reads frames up to a Close, and returns its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def reset(self):
        """Vanish with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self):
        self.sock.close()


@pytest.fixture
def raw():
    """raw(board) -> a Raw connection, closed when the test is over."""
    opened = []

    def connect(board, **kwargs):
        opened.append(Raw(board, **kwargs))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def make_lab(make_board):
    """make_lab(max_clients=..., ...) -> a board that runs lab.py with these arguments; with
    `certs`, a folder, on port 443 with TLS as well; `limits`: the arguments of Limits.
    """

    def make(*, ports=(80,), files=None, heap="256k", certs=None, limits=None, **server):
        settings = {"server": server, "ports": ports, "tls": bool(certs), "limits": limits}
        content = {"main.py": LAB.read_text(), "lab.json": json.dumps(settings)}
        return make_board(files={**content, **(files or {})}, heap=heap, certs=certs)

    return make


SITE = {
    "site/index.html": "<!doctype html><title>Lab</title>",
    "site/app.js": "console.log(1)",
    "site/big.txt": "0123456789" * 3000,
    "site/.hidden": "secret",
    "site/sub/index.html": "sub",
    "site/a b.txt": "space",
}


@pytest.fixture(scope="session")
def lab(make_lab):
    """The lab that most tests share: short timeouts, no keepalive, six clients."""
    return make_lab(max_clients=6, ping_interval=None, open_timeout=1, close_timeout=1, files=SITE)


@pytest.fixture(scope="session")
def served(request):
    """A board that echoes at /ws, whatever else it does: the real one, or else the lab."""
    address = request.config.getoption("--board")
    return request.getfixturevalue("board" if address else "lab")


def telling(module):
    """Files with which the firmware says ten times a second whether a module is loaded."""
    serve = "        server.run()\n"
    main = (LAB.parents[2] / "main.py").read_text()
    tell = f"        server.every(100, lambda: print('loaded:', '{module}' in sys.modules))\n"
    assert serve in main
    return {"main.py": main.replace(serve, tell + serve)}


def wait_until(condition, what, seconds=10):
    """Wait for something that has no event of its own."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain for " + what
        time.sleep(0.01)
