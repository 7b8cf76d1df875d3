"""What the library takes of a board's heap and of its flash."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from tools.deploy.mpycross import compile_file
from tools.virtualboard import VirtualBoard
from tools.virtualboard.interpreter import (
    WORD_VARIABLE,
    WORDS,
    NoInterpreterError,
    native_arch,
    select_interpreter,
)
from tools.wsclient import TEXT, RawClient, frame

from .contenders import program

ROOT = Path(__file__).resolve().parents[2]
IDLE = 10  # clients
SAY = "gc.collect(); print('%s', gc.mem_alloc())\n"

# The modules that the library imports are a chip's own: they are loaded before it is counted.
IMPORTS = (
    "import binascii, collections, errno, gc, hashlib, io, os, select, socket, sys, time\n"
    + SAY % "before"
    + "import wsserver\n"
    + SAY % "import"
    + "server = wsserver.Server()\n"
    + SAY % "server"
    + "server.listen(80)\n"
    + SAY % "listen"
    + "print('buffers', len(server._pool.take()), len(server._read_buffer))\n"
)

# Frames go through a connection without a socket, and the collector rests.
ALLOCATIONS = """
import gc
from wsserver.core.buffers import BufferPool
from wsserver.core.protocol import Client
from wsserver.http.routes import make_route

class Echo:
    def on_message(self, client, message):
        client.send(message)

class Request:
    path = query = ""
    params = context = None

pool = BufferPool(4096, 9000, print)
client = Client(make_route(Echo()), pool, 1, None, Request, None)
frame = b"\\x81\\xa0key!" + bytes(byte ^ b"key!"[at & 3] for at, byte in enumerate(b"x" * 32))
view = memoryview(bytearray(frame * 100))
gc.collect()
gc.disable()
before = gc.mem_alloc()
client._receive(view, 0, len(view))
print("allocated", gc.mem_alloc() - before)
"""

MEMORY_ENDPOINT = """
import gc

class Memory:
    def on_message(self, client, message):
        gc.collect()
        client.send(str(gc.mem_alloc()))
"""


def figures(code: str, heap: str, **options) -> dict[str, list[int]]:
    """Run a program on a virtual board: {word: numbers} of the lines that it prints."""
    code += "\nprint('the end')\n"
    with VirtualBoard(files={"main.py": code, "boot.py": ""}, heap=heap, **options) as board:
        board.wait_for_log("the end")
        lines = re.findall(r"(?m)^(\w+) ([\d ]+)$", board.log)
    return {word: [int(number) for number in numbers.split()] for word, numbers in lines}


def imports(source: bool) -> dict[str, int]:
    """Return the bytes of heap that import, Server() and listen() take, in turn."""
    found = figures(IMPORTS, "256k", source=source)
    steps = ["before", "import", "server", "listen"]
    sizes = [found[step][0] for step in steps]
    taken = {step: sizes[at] - sizes[at - 1] for at, step in enumerate(steps) if at}
    taken["send buffer"], taken["read buffer"] = found["buffers"]
    return taken


def ask(peer: RawClient) -> int:
    """Return the heap in use, from the Memory endpoint."""
    return int(peer.send(frame(TEXT, b"?")).message())


def clients() -> dict[str, int]:
    """Return the bytes of heap of an idle client: in all, and of its socket.

    The socket is a stand-in here, and a few words of C on a chip.
    """
    source = program("ours", MOST=IDLE + 2).replace(
        "server.listen", MEMORY_ENDPOINT + "server.websocket('/memory', Memory())\nserver.listen"
    )
    with VirtualBoard(files={"main.py": source, "boot.py": ""}, heap="256k", sockets=20) as board:
        board.wait_ready()
        control = RawClient(board.http_port).open("/memory")
        ask(control)
        before = ask(control)
        idle = [RawClient(board.http_port).open("/ws") for _ in range(IDLE)]
        taken = (ask(control) - before) // IDLE
        for peer in [*idle, control]:
            peer.sock.close()
    return {"client": taken, "socket": sockets()}


def sockets() -> int:
    """Return bytes of heap that a socket of the virtual board takes, watched by poll."""
    source = (
        "import gc, select, socket\npoll = select.poll()\ngc.collect()\nbefore = gc.mem_alloc()\n"
        f"kept = [socket.socket() for _ in range({IDLE})]\n"
        "for sock in kept:\n    poll.register(sock, 1)\n"
        "gc.collect()\nprint('taken', gc.mem_alloc() - before)"
    )
    return figures(source, "256k", sockets=20)["taken"][0] // IDLE


def flash() -> dict[str, int]:
    """Return bytes of .mpy for each kind of chip, and for this machine."""
    own = native_arch()
    assert own
    sizes = {}
    for arch in ("xtensawin", "rv32imc", own):
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted((ROOT / "lib" / "wsserver").rglob("*.py")):
                target = Path(folder) / f"{path.parent.name}-{path.stem}.mpy"
                compile_file(path, target, f"-march={arch}", "-s", path.name)
            sizes[arch] = sum(path.stat().st_size for path in Path(folder).iterdir())
    return sizes


def measure(words=WORDS) -> dict[int, dict]:
    """Return all figures by word size; one is missing if there is no such interpreter here."""
    found = {}
    before = os.environ.get(WORD_VARIABLE, "")
    for word in words:
        select_interpreter(word)
        with contextlib.suppress(NoInterpreterError):
            found[word] = measure_word()
    os.environ[WORD_VARIABLE] = before
    return found


def measure_word() -> dict:
    """Return all figures on the chosen interpreter."""
    return {
        "compiled": imports(source=False),
        "source": imports(source=True),
        "idle": clients(),
        "allocated per 32 B message": figures(ALLOCATIONS, "256k")["allocated"][0] / 100,
        "flash": flash(),
    }
