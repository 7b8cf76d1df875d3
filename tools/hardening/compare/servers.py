"""The servers that are compared, each on a virtual board of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.bench.contenders import chumicro, microdot, program
from tools.virtualboard import VirtualBoard

HEAP = "256k"  # enough for every server: memory is measured elsewhere
SOCKETS = 10  # a chip has so many
MAX_SIZE = 4096
MOST = 7  # clients


@dataclass(frozen=True)
class Server:
    """A server.

    program: its name in tools/bench/programs. options: arguments of its server. packages: a
    function that returns the files it needs.
    """

    name: str
    program: str
    options: dict[str, object] = field(default_factory=dict)
    packages: Callable[[], dict[str, bytes]] = dict

    @contextmanager
    def running(self) -> Iterator[VirtualBoard]:
        """Yield a board that runs the server and is ready."""
        files: dict[str, str | bytes] = {"boot.py": "", **self.packages()}
        files["main.py"] = program(
            self.program, MOST=MOST, MAX_SIZE=MAX_SIZE, OPTIONS=self.options
        )
        with VirtualBoard(files=files, heap=HEAP, sockets=SOCKETS) as board:
            board.wait_ready(30)
            yield board


SERVERS = (
    Server("this server", "ours", {"ping_interval": 1, "ping_timeout": 1, "open_timeout": 2}),
    Server("microdot", "microdot_echo", packages=microdot),
    Server(
        "chumicro-websockets",
        "chumicro_echo",
        {
            "when_oversized": "disconnect",
            "handshake_timeout_ms": 2000,
            "pong_timeout_ms": 1000,
        },
        chumicro,
    ),
)
