"""`make monitor`: print a board's serial output without disturbing it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import serial

from tools.deploy import application

from . import ports, qrcodes
from .sources import source_of

_MAX_LINE = 10000  # characters that are kept of a line that does not end


Finder = Callable[[str], Path | None]


def monitor(port: str, app: Path | None = None) -> None:
    """Print until Ctrl-C. Wait for a board that is unplugged. app: its application, for sources.

    Raises Failure if the port cannot be used, or if there is no such application.
    """
    find = application.find(app).source if app else _nothing
    port = ports.choose(port)
    line = _open(port)
    print(f"{port}: Ctrl-C ends this", flush=True)
    try:
        _follow(port, line, find)
    except KeyboardInterrupt:
        print()


# A board's boot.py and main.py may be any program, whose lines are not those of the repository's.
_ANY_PROGRAM = re.compile(r'\s*File "/?(boot|main)\.py", line')


def _nothing(name: str) -> Path | None:
    return None


def _follow(port: str, line: serial.SerialBase, find: Finder) -> None:
    text = ""
    while True:
        try:
            data = line.read(1)
            data += line.read(line.in_waiting)
        except OSError:
            print(f"\n{port} is unplugged; waiting until it is back", flush=True)
            line = _wait_for(port)
            continue
        more = printable(data.decode(errors="replace").replace("\r", ""))
        text = _show(text + more, len(text), find)


def _show(text: str, shown: int, find: Finder = _nothing) -> str:
    """Print `text` from `shown` on and return its last line, which is not complete.

    A traceback line is followed by its source, and a line that tells how to reach the board by a
    QR code.
    """
    *whole, rest = text.split("\n")
    for line in whole:
        print(line[shown:], flush=True)
        shown = 0
        for hint in _hints(line, find):
            print(hint, flush=True)
    if len(rest) > _MAX_LINE:
        rest, shown = rest[shown:] + "\n", 0
    sys.stdout.write(rest[shown:])
    sys.stdout.flush()
    return "" if rest.endswith("\n") else rest


def printable(text: str) -> str:
    """Escape everything in a board's output that could control the terminal or garble a line.

    What a board prints can contain text of its clients.
    """
    return "".join(
        char if char in "\n\t" or char.isprintable() else ascii(char)[1:-1] for char in text
    )


def _hints(line: str, find: Finder) -> list[str]:
    """Return the source of a line of a traceback, and the QR code for a line that has one."""
    try:
        source = None if _ANY_PROGRAM.match(line) else source_of(line, find=find)
        code = qrcodes.of_line(line) if qrcodes.can_be_shown() else ""
    except (ValueError, SyntaxError, OSError, RecursionError, MemoryError):
        return []  # the line only looks like one of the firmware's
    return [f"    -> {source}"] * bool(source) + [code] * bool(code)


def _open(port: str) -> serial.SerialBase:
    try:
        return _line(port)
    except (OSError, ValueError):
        raise ports.explain(port, "it could not be opened; try again") from None


def _line(port: str) -> serial.SerialBase:
    return serial.serial_for_url(ports.url(port), baudrate=115200, timeout=0.5, exclusive=True)


def _wait_for(port: str) -> serial.SerialBase:
    while True:
        time.sleep(0.5)
        try:
            return _line(port)
        except OSError:
            continue
