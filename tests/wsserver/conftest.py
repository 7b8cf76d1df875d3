"""Boards that run lab.py instead of the demo, and raw connections to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tools.virtualboard import VirtualBoard
from tools.wsclient import (  # noqa: F401 - REQUEST is for the tests
    REQUEST,
    TEXT,
    RawClient,
    frame,
)

LAB = Path(__file__).with_name("lab.py")


class Raw(RawClient):
    """A raw connection to a board of the tests."""

    def __init__(self, board, port=None, **options):
        # A real board broadcasts, unless its config.json says otherwise.
        self.ignored = None if isinstance(board, VirtualBoard) else b"Server broadcast: "
        super().__init__(port or board.http_port, board.address, timeout=30, **options)

    def frame(self):
        """Return the next frame that is not one of the board's own broadcasts."""
        opcode, payload = super().frame()
        while self.ignored and payload.startswith(self.ignored):
            opcode, payload = super().frame()
        return opcode, payload


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


def wait_alone(control):
    """Wait until a client of the lab's /control is the only one."""
    clients = frame(TEXT, b"clients")
    wait_until(lambda: b"," not in control.send(clients).frame()[1], "the others to be gone")


def echo(connection, text=b"x"):
    """Send a message, and have it come back."""
    assert connection.send(frame(TEXT, text)).frame() == (TEXT, text)
