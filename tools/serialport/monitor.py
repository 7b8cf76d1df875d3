"""`make monitor`: what a board prints, without disturbing it."""

from __future__ import annotations

import sys
import time

import serial

from tools import codes

from . import ports
from .traceback import source_of

_MAX_LINE = 10000  # characters that are kept of a line that does not end


def monitor(port: str) -> None:
    """Print until Ctrl-C. A board that is unplugged is waited for. Failure: the port cannot be
    used.
    """
    line = _open(port)
    print(f"{port}: Ctrl-C ends this", flush=True)
    text = ""
    while True:
        try:
            data = line.read(1)
            data += line.read(line.in_waiting)
        except OSError:
            print(f"\n{port} has gone; waiting for it", flush=True)
            line = _wait_for(port)
            continue
        text = _show(text + printable(data.decode(errors="replace").replace("\r", "")), len(text))


def _show(text: str, shown: int) -> str:
    """Print what is new, after each whole line of a traceback its source, and codes for a phone
    after what tells how to reach the board; returns the rest.
    """
    *whole, rest = text.split("\n")
    for line in whole:
        print(line[shown:], flush=True)
        shown = 0
        for hint in _hints(line):
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


def _hints(line: str) -> list[str]:
    """Return the source of a line of a traceback, and the QR code for a line that has one."""
    try:
        source = source_of(line)
        code = codes.of_line(line) if codes.can_be_shown() else ""
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
