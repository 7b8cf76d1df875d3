"""Peers that say anything to a board, and boards that run several servers at once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.wsserver.web import Answer, answer, head
from tools.ports import free_port
from tools.wsclient import TEXT, RawClient, frame

PROGRAM = Path(__file__).with_name("several_servers.py")
SITE = {
    "site/index.html": "<!doctype html><title>Lab</title>",
    "site/big.txt": "0123456789" * 20000,
    "site/data.unknown": "data",
    "site/README": "read me",
    "site/LOUD.HTML": "loud",
    "site/zipped.html.gz": gzip.compress(b"zipped page", mtime=0),
}
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Peer(RawClient):
    """A TCP connection to a board."""

    def __init__(self, port, source=None, receive_buffer=None):
        source = source or "127.0.0.1"
        super().__init__(port, timeout=10, source=source, receive_buffer=receive_buffer)

    def send(self, data) -> Peer:
        """Send bytes, or a str."""
        return super().send(data.encode() if isinstance(data, str) else data)

    def rest(self) -> bytes:
        """Read until the board closes the connection. A reset counts as an end."""
        try:
            return super().rest()
        except ConnectionResetError:
            found, self.data = self.data, b""
            return found

    def head(self) -> tuple:
        """Read a response head: (status, headers)."""
        return head(self)

    def response(self) -> Answer:
        """Read a response with its body."""
        return answer(self)

    def echo(self, text: bytes = b"x") -> bool:
        """Whether a WebSocket message comes back."""
        self.send(frame(TEXT, text))
        return self.frame() == (TEXT, text)


class Servers:
    """A board that runs several servers: see several_servers.py.

    clock: its time can be moved on. narrow: its TCP send buffers are as small as the chip's.
    """

    def __init__(self, make_board, certs=None, clock=False, narrow=False, **servers):
        servers = {name: dict(settings) for name, settings in servers.items()}
        self.ports = {}
        for name, settings in servers.items():
            ports = [free_port() for _ in range(settings.pop("listeners", 1))]
            self.ports[name] = ports[0]
            settings["ports"] = ports
        for settings in servers.values():
            settings["tls"] = free_port() if settings.get("tls") else None
        self.settings = servers
        content = json.dumps({"clock": clock, "narrow": narrow, **servers})
        files = {"main.py": PROGRAM.read_text(), "servers.json": content, **SITE}
        self.board = make_board(files=files, heap="700k", sockets=64, certs=certs, wait=False)
        self.board.wait_for_log("all servers listen")

    def connect(self, name="main", source=None, port=None, receive_buffer=None) -> Peer:
        """A connection to one of the servers."""
        return Peer(port or self.ports[name], source, receive_buffer)

    def ask(self, request, name="main", source=None) -> Answer:
        """The response to a request, given as it is sent."""
        with self.connect(name, source) as peer:
            return peer.send(request).response()

    def get(self, path="/", *headers, name="main", source=None, host="board", method="GET"):
        """The response to a plain request."""
        return self.ask(plain(path, *headers, host=host, method=method), name, source)

    def upgrade(self, path="/ws", *headers, name="main", source=None, host="board"):
        """The response to a WebSocket handshake."""
        return self.ask(handshake(path, *headers, host=host), name, source)

    def open(self, path="/ws", *headers, name="main", source=None, port=None) -> Peer:
        """A WebSocket connection."""
        peer = self.connect(name, source, port).send(handshake(path, *headers))
        status, _ = peer.head()
        assert status == 101, status
        return peer


def plain(path="/", *headers, host="board", method="GET", version="1.1") -> str:
    """A plain HTTP request."""
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [f"Host: {host}"] if host is not None else []
    return "\r\n".join([*lines, *headers, "", ""])


def handshake(path="/ws", *headers, host="board", version="1.1") -> str:
    """A WebSocket handshake."""
    return plain(path, *headers, *UPGRADE.strip().split("\r\n"), host=host, version=version)
