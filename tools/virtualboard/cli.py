"""The command line: `python -m tools.virtualboard`, which is what `make run` calls."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tools.failure import Failure

from .board import VirtualBoard, check_port, choose_heap
from .interpreter import WORDS, NoInterpreterError, interpreter, select_interpreter


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's arguments. SystemExit: they are wrong, and it says how."""
    parser = argparse.ArgumentParser(prog="python -m tools.virtualboard", description=__doc__)
    parser.add_argument(
        "--http-port", type=int, default=8080, help="where the board's port 80 appears"
    )
    parser.add_argument("--https-port", type=int, default=8443, help="where its port 443 appears")
    parser.add_argument(
        "--word", type=int, choices=WORDS, help="the size of the board's words, in bits"
    )
    parser.add_argument(
        "--heap", help="the firmware's heap: a size such as 64k, or chip: two heaps as on a chip"
    )
    parser.add_argument("--config", type=Path, help="a config.json for the board")
    parser.add_argument("--main", type=Path, help="a program that takes main.py's place")
    parser.add_argument("--flash", type=Path, help="keep the flash in this folder")
    parser.add_argument("--certs", type=Path, help="a folder with certificates, for wss://")
    parser.add_argument("--source", action="store_true", help="run lib/ from source, not compiled")
    parser.add_argument("--sockets", type=int, default=10, help="how many sockets the board has")
    options = parser.parse_args(arguments)
    select_interpreter(options.word)
    try:
        choose_heap(options.heap, interpreter().word)
        if options.config:
            check_config(options.config)
        options.files = {"main.py": read_program(options.main)} if options.main else {}
        if options.http_port == options.https_port != 0:
            raise ValueError(f"port {options.http_port} cannot be both the HTTP and HTTPS port")
        for port in (options.http_port, options.https_port):
            check_port(port)
    except (ValueError, OSError, OverflowError, NoInterpreterError) as error:
        parser.exit(1, f"make run: {error.strerror if isinstance(error, OSError) else error}\n")
    return options


def check_config(path: Path) -> None:
    """OSError: the file cannot be read. One that is not JSON only gets a warning: boards have to
    cope with it.
    """
    try:
        json.loads(path.read_bytes())
    except OSError as error:
        raise OSError(error.errno, f"config {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        print(f"warning: {path} is not JSON ({error}); the board gets it all the same", flush=True)


def read_program(path: Path) -> bytes:
    """OSError: the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(error.errno, f"program {path} cannot be read: {error.strerror}") from None


def addresses(board: VirtualBoard) -> str:
    """What a browser may open."""
    found = [board.http_url, board.ws_url()]
    if (board.flash / "certs").exists():
        found.append(board.https_url)
    return " ".join(found)


class Screen:
    """Where all output goes: what comes from the serial port, and whole lines of our own."""

    def __init__(self, on_gone: Callable[[], None]):
        """on_gone(): called when nobody reads any more, as in `make run | head`."""
        self._on_gone = on_gone
        self._at_start = True

    def show(self, data: bytes) -> None:
        """Print what comes from the serial port; a terminal wants LF only."""
        if not data:
            return
        self._at_start = data.endswith(b"\n")
        try:
            sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
            sys.stdout.buffer.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._on_gone()

    def say(self, line: str) -> None:
        """Print a line, on a line of its own whatever the board has printed."""
        self.show(("" if self._at_start else "\n").encode() + f"{line}\n".encode())


def main(arguments: list[str] | None = None) -> int:
    """Run a board until SIGINT or SIGTERM. Returns the exit status."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    screen = Screen(ended.set)
    try:
        board = VirtualBoard(
            config=options.config,
            files=options.files,
            heap=options.heap,
            http_port=options.http_port,
            https_port=options.https_port,
            source=options.source,
            sockets=options.sockets,
            flash=options.flash,
            certs=options.certs,
            on_output=screen.show,
            on_ready=lambda: screen.say(f"board ready: {addresses(board)}"),
        )
    except (NoInterpreterError, Failure, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"make run: {reason}", file=sys.stderr)
        return 1
    with board:
        screen.say(f"serial port: {board.serial}")
        while not ended.wait(1):
            if not board.is_running:
                return 1  # its thread has told why
    return 0
