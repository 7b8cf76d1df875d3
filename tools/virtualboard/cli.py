"""Run a virtual board in a terminal: `python -m tools run`, `make run`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.board.qrcodes import SERVING
from tools.board.sources import source_of
from tools.deploy import modules
from tools.deploy.application import Application, find
from tools.failure import Failure, warn
from tools.settings import explain, parse, rules

from .board import VirtualBoard, check_port, choose_heap
from .interpreter import NoInterpreterError, interpreter, select_interpreter

_POLL = 0.2  # seconds


def check(config: Path | None, word: int | None, heap: str | None, ports: tuple[int, int]) -> None:
    """Select the interpreter and check the options. A config.json that is not JSON gets a warning.

    Raises Failure if a file cannot be read, or if the heap or a port is invalid.
    """
    select_interpreter(word)
    try:
        choose_heap(heap, interpreter().word)
        if config:
            _check_names(config)
        if ports[0] == ports[1] != 0:
            raise Failure(f"port {ports[0]} cannot be both the HTTP and HTTPS port")
        for port in ports:
            check_port(port)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        warn(f"{config} is not JSON ({error}): the board will use defaults; `deploy` refuses it")
    except (OSError, ValueError, OverflowError, NoInterpreterError) as error:
        raise Failure(_reason(error)) from None


def _check_names(config: Path) -> None:
    """Warn about names that resemble those of a setting, and about values that are no object.

    The board logs these and all other problems.
    """
    _, problems = rules().validate(parse(read(config, "config")))
    for problem in problems:
        explained = explain(problem)
        if explained != problem or ": must be an object" in problem:
            warn(f"{config}: {explained}")


def read(path: Path, kind: str) -> bytes:
    """Return the content of a file. Raises Failure if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"{kind} {path} cannot be read: {error.strerror}") from None


def _reason(error: Exception) -> str:
    return str(isinstance(error, OSError) and error.strerror or error)


SAFE_MODE = "application: not started"  # lib/application.py
_MAX_LINE = 1000  # bytes of a line that are kept
_OTHER = 2  # seconds from listening on one port to listening on the other


def addresses(board: VirtualBoard, line: str = "") -> str:
    """Return the URLs of a board. line: in which it has said that it serves.

    A program without such a line may listen on one port right after the other.
    """
    serving = SERVING.search(line)
    found = []
    if serving or board.serves_http(_OTHER):
        found.append(board.http_url)
        if not serving or serving[1] == "ws":
            found.append(board.ws_url())
    if " and " in line if serving else board.has_certificates and board.serves_https(_OTHER):
        found.append(board.https_url)
    return " ".join(found)


class Screen:
    """Print the output of the serial port, and whole lines of our own."""

    def __init__(self, on_gone: Callable[[], None], app: Application | None = None):
        """on_gone(): called when the reader has gone, as in `make run | head`.

        app: its lines in a traceback are followed by their source, those of the firmware are not.
        """
        self._on_gone = on_gone
        self._app = app or Application()
        self._at_start = True
        self._line = b""  # the last line so far, for its source

    def show(self, data: bytes) -> None:
        """Print output of the serial port; a terminal wants LF only."""
        if not self._app.files:
            self._write(data)
            return
        *whole, self._line = (self._line + data).split(b"\n")
        for line in whole:
            end = data.index(b"\n") + 1
            self._write(data[:end])
            data = data[end:]
            text = line.decode(errors="replace").rstrip("\r")
            source = source_of(text, Path(), self._app.source) if "/app/" in text else None
            if source:
                self._write(f"    -> {source}\n".encode())
        self._line = self._line[-_MAX_LINE:]
        self._write(data)

    def _write(self, data: bytes) -> None:
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
        self._write(("" if self._at_start else "\n").encode() + f"{line}\n".encode())


def _announce(screen: Screen, urls: str, is_safe: bool, line: str = "") -> None:
    """Say that a board serves. is_safe: without its application, which has failed too often.

    line: its own, which names addresses that exist on the board only.
    """
    if is_safe:
        screen.say(f"board ready, without the application: {urls}")
        screen.say("Correct the application (its traceback is above), and start this again.")
    else:
        screen.say(f"board ready: {urls}")
        serving = SERVING.search(line)
        if serving and "http" in urls:
            screen.say(
                f"Open {urls.split()[0]} in a browser on this computer: the address "
                f"{serving[2]} above is that of the board in its own network."
            )


def hint(word: int, is_chip: bool) -> str:
    """Return what to do if the memory of a virtual board is too small.

    With the memory of a chip, a larger heap would only hide that the chip has too little as well.
    """
    if is_chip:
        return (
            "Out of memory, as on a chip: load less code, keep less data, or lower "
            "server.max_size and server.max_clients (docs/safety.md)."
        )
    text = "Out of memory on the virtual board: HEAP=256k (--heap 256k) gives it more"
    if word == 64:
        text += ", and WORD=32 (--word 32) the words and the memory of a chip"
    return text + " (docs/virtual-board.md)."


# Long: nine options, each of which is handed on by name.
def run(
    word: int | None,
    config: Path | None,
    main: Path | None,
    app: Path | None,
    heap: str | None,
    http_port: int,
    https_port: int,
    image: Path | None = None,
    **options,
) -> int:
    """Run a board until SIGINT, SIGTERM or SIGHUP. Return 0, or 1 if the board ended by itself.

    options: for VirtualBoard. Raises Failure if it cannot start.
    """
    check(config, word, heap, (http_port, https_port))
    application = find(app) if app else Application()
    modules.check(application)
    program: dict[str, str | bytes] = {"main.py": read(main, "program")} if main else {}
    if main:
        modules.check_main(main)
    ended: list[None] = []  # not an Event, whose lock a signal handler may find taken
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.append(None))
    screen = Screen(lambda: ended.append(None), application)

    def listens():
        if (
            main
        ):  # a program of the user's, which does not say when it serves, as the firmware does
            announce = threading.Thread(target=lambda: _announce(screen, addresses(board), False))
            announce.daemon = True
            announce.start()

    if image and options.get("flash"):
        raise Failure("--image and --flash: give one of them")
    try:
        board = VirtualBoard(
            image=image,
            config=config,
            files=program,
            application=application.files if app else None,
            heap=heap,
            http_port=http_port,
            https_port=https_port,
            sets_ports=True,
            on_output=screen.show,
            on_ready=listens,
            **options,
        )
    except (NoInterpreterError, OSError) as error:
        raise Failure(_reason(error)) from None
    with board:
        screen.say(f"serial port: {board.serial}")
        return _watch(board, screen, ended, announces=not main)


def _watch(board: VirtualBoard, screen: Screen, ended: list[None], announces: bool) -> int:
    """Say what a board's output means until it or this program ends. Return what run() does."""
    position, is_safe, is_hinted, is_named = 0, False, False, False
    while not ended:
        time.sleep(_POLL)
        end = board.log.rfind("\n") + 1
        for line in board.log[position:end].splitlines():
            is_safe = is_safe or line.startswith(SAFE_MODE)
            if line.startswith("serving ") and announces:
                _announce(screen, addresses(board, line), is_safe, "" if is_named else line)
                is_named = True
                is_safe = False
            if line.startswith("MemoryError") and not is_hinted:
                screen.say(hint(interpreter().word, board.has_chip_heap))
                is_hinted = True
        position = end
        if not board.is_running and not ended:
            return 1  # its thread has reported why
    return 0
