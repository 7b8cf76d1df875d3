"""The servers that are measured: how each is started and paused, and where it listens."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.certs import cli as certs
from tools.ports import free_port
from tools.virtualboard import VirtualBoard
from tools.virtualboard.interpreter import (
    WORD_VARIABLE,
    WORDS,
    NoInterpreterError,
    compile_mpy,
    find_micropython,
    select_interpreter,
)

from .loads import Load

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
HEAP = "512k"  # with less, microdot and chumicro fail with 50 clients
OWN_HEAP = "128k"  # of contenders without a virtual board
MOST = 60  # clients at the same time
MAX_SIZE = 16384


# Arguments of each program's server.
OPTIONS: dict[str, dict[str, object]] = {
    "ours": {"ping_interval": None},
    "chumicro_echo": {"max_tx_queue_size": 64},  # its default, 8, loses most of 32 in flight
}


def program(name: str, **values: object) -> str:
    """Return a program for a board, with values for the names in capitals that it uses."""
    known = {"MOST": MOST, "MAX_SIZE": MAX_SIZE, "OPTIONS": OPTIONS.get(name, {})}
    values = {**known, "PORT": 80, "ALL_PORT": 443, "HTTP": False, **values}
    head = "".join(f"{key} = {value!r}\n" for key, value in values.items())
    return head + (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")


def package(name: str, *modules: str) -> dict[str, bytes]:
    """Return files of an installed Python package, as {path on the flash: content}.

    LookupError: it is not installed, since there is none for this Python.
    """
    try:
        found = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        raise LookupError(f"{name} is not installed: see requirements.txt") from None
    wanted = [
        path
        for path in found
        if path.suffix == ".py" and (not modules or path.as_posix() in modules)
    ]
    return {f"lib/{path.as_posix()}": Path(path.locate()).read_bytes() for path in wanted}


def microdot() -> dict[str, bytes]:
    """Return the files of microdot that a board needs."""
    names = ("__init__", "microdot", "websocket", "helpers", "sse")
    return package("microdot", *(f"microdot/{name}.py" for name in names))


def chumicro() -> dict[str, bytes]:
    """Return the files of chumicro-websockets and of what it needs."""
    names = ("chumicro-websockets", "chumicro-sockets", "chumicro-timing")
    return {path: data for name in names for path, data in package(name).items()}


@dataclass
class Contender:
    """A server to be measured. `path` is None for bare TCP, where bytes come back as they are."""

    name: str
    start: Callable[[], Running]
    path: str | None = "/ws"


@dataclass
class Running:
    """A contender that runs: `port` for echoes, `all_port` and `all_path` for broadcasts."""

    port: int
    path: str | None
    all_port: int
    all_path: str | None
    pid: int
    stop: Callable[[], object]
    log: Callable[[], str] = field(default=lambda: "")
    tls_port: int = 0
    authority: str | None = None  # with TLS: the CA of its certificate
    is_quiet: bool = False  # for "beside": without a transfer

    def pause(self) -> None:
        """Take it off the processor: some poll without sleeping."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def target(self, load: Load) -> tuple[int, str | None]:
        """Return the port and the path that a load is for."""
        if load.kind == "broadcast":
            return self.all_port, self.all_path
        return self.port, self.path


def pin(pid: int) -> None:
    """Keep a server off the generator's core, where the system can do that."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


def on_board(
    source: str, path: str | None, files=None, heap=HEAP, sockets=MOST + 10, keys=None
) -> Running:
    """Run a program on a virtual board."""
    files = {"main.py": source, "boot.py": "", **(files or {})}
    board = VirtualBoard(files=files, heap=heap, sockets=sockets, certs=keys).start()
    try:
        board.wait_ready()
    except AssertionError:
        board.stop()
        raise
    pin(board.pid)
    all_port, all_path = (board.http_port, "/all") if path else (board.https_port, None)
    return Running(
        board.http_port,
        path,
        all_port,
        all_path,
        board.pid,
        board.stop,
        lambda: board.log,
        tls_port=board.https_port,
    )


def with_tls(name: str, path: str | None) -> Running:
    """Run a program on a virtual board with a certificate."""
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(certs.temporary())
        running = on_board(program(name), path, keys=keys)
        stack.callback(running.stop)
        running.port, running.stop = running.tls_port, stack.pop_all().close
    running.authority = str(keys / "ca.pem")
    return running


def on_cpython() -> Running:
    """Run the `websockets` library's server."""
    port = free_port()
    command = [sys.executable, str(PROGRAMS / "websockets_echo.py"), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout
    assert output and output.readline() == b"ready\n"
    pin(process.pid)

    def stop():
        process.kill()
        process.wait()
        output.close()

    return Running(port, "/ws", port, "/all", process.pid, stop)


def ours(**values: int) -> Running:
    """Return this project's server; `values` replace MOST or MAX_SIZE."""
    return on_board(program("ours", **values), "/ws")


def on_interpreter(name: str, path: str | None, word: int) -> Running:
    """Run a program on an interpreter's own sockets, which are C as on a chip.

    Raises LookupError if there is no interpreter of this word size.
    """
    before = os.environ.get(WORD_VARIABLE)
    select_interpreter(word)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        command = find_micropython()
        for file in sorted((ROOT / "lib" / "wsserver").rglob("*.py")):
            part = file.relative_to(ROOT / "lib")
            compile_mpy(file, folder / part.with_suffix(".mpy"), str(part))
    except NoInterpreterError as error:
        shutil.rmtree(folder)
        raise LookupError(str(error)) from None
    finally:
        if before is None:
            del os.environ[WORD_VARIABLE]
        else:
            os.environ[WORD_VARIABLE] = before
    port, all_port = free_port(), free_port()
    source = f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
    source += program(name, PORT=port, ALL_PORT=all_port)
    (folder / "main.py").write_text(source, encoding="utf-8")
    options = ["-X", f"heapsize={OWN_HEAP}", str(folder / "main.py")]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)

    def stop():
        process.kill()
        process.wait()
        shutil.rmtree(folder)

    pin(process.pid)
    try:
        wait_for_port(port)
    except AssertionError:
        stop()
        raise
    return Running(port, path, all_port, path, process.pid, stop)


def wait_for_port(port: int) -> None:
    """Wait until something listens there. Raises AssertionError if nothing does."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


SITE = {"site/page.html": "<!doctype html>".ljust(2048, "x")}
CONTENDERS = [
    Contender("ours", ours),
    Contender("bare TCP", lambda: on_board(program("bare"), None), None),
    Contender("microdot", lambda: on_board(program("microdot_echo"), "/ws", microdot())),
    Contender("chumicro", lambda: on_board(program("chumicro_echo"), "/ws", chumicro())),
    Contender("websockets", on_cpython),
]

TLS_CONTENDERS = [
    Contender("ours", lambda: with_tls("ours_tls", "/ws")),
    Contender("bare TLS", lambda: with_tls("bare_tls", None), None),
]

HTTP_CONTENDERS = [
    Contender("ours", lambda: on_board(program("ours", HTTP=True), "/ws", SITE)),
    Contender(
        "microdot",
        lambda: on_board(program("microdot_echo"), "/ws", {**microdot(), **SITE}),
    ),
]

ASYNCIO_CONTENDERS = [
    Contender("ours", lambda: on_board(program("ours_asyncio", ASYNC=False), "/ws")),
    Contender("run()", ours),
    Contender("async def", lambda: on_board(program("ours_asyncio", ASYNC=True), "/ws")),
    CONTENDERS[2],  # microdot, whose echo is a coroutine
]


def without_transfers() -> Running:
    """Return this project's server, which will be left in peace."""
    running = HTTP_CONTENDERS[0].start()
    running.is_quiet = True
    return running


BESIDE_CONTENDERS = [HTTP_CONTENDERS[0], Contender("quiet", without_transfers)]

LATE_CONTENDERS = [ASYNCIO_CONTENDERS[0]]

# For a client that sleeps, by the interpreter's word size.
OWN_SOCKETS = {
    word: [
        Contender("ours", functools.partial(on_interpreter, "ours", "/ws", word)),
        Contender("bare TCP", functools.partial(on_interpreter, "bare", None, word), None),
    ]
    for word in WORDS
}
