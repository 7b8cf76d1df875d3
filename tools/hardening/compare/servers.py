"""The servers that are compared, each on a virtual board of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench.contenders import package
from tools.virtualboard import VirtualBoard

PROGRAMS = Path(__file__).parent / "programs"
HEAP = "256k"  # so that nobody fails for want of it: that is measured elsewhere
SOCKETS = 10  # the chip's


@dataclass(frozen=True)
class Server:
    """`program`: its name in programs/; `packages`: a function that gives the files it needs."""

    name: str
    program: str
    packages: Callable[[], dict[str, bytes]] = dict

    @contextmanager
    def running(self) -> Iterator[VirtualBoard]:
        """A board that runs it, and serves."""
        files: dict[str, str | bytes] = {"boot.py": "", **self.packages()}
        files["main.py"] = (PROGRAMS / f"{self.program}.py").read_text(encoding="utf-8")
        with VirtualBoard(files=files, heap=HEAP, sockets=SOCKETS) as board:
            board.wait_ready(30)
            yield board


def _microdot():
    names = ("__init__", "microdot", "websocket", "helpers")
    return package("microdot", *(f"microdot/{name}.py" for name in names))


def _chumicro():
    names = ("chumicro-websockets", "chumicro-sockets", "chumicro-timing")
    return {path: data for name in names for path, data in package(name).items()}


SERVERS = (
    Server("this server", "ours"),
    Server("microdot", "microdot_server", _microdot),
    Server("chumicro-websockets", "chumicro_server", _chumicro),
)
