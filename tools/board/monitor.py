"""`make monitor`: print a board's serial output without disturbing it."""

from __future__ import annotations

import sys
import time

import serial

from . import ports, qrcodes
from .sources import source_of


def monitor(port: str) -> None:
    """Print until Ctrl-C. Wait for a board that is unplugged.

    Raises Failure if the port cannot be used.
    """
    port = ports.choose(port)
    line = _open(port)
    print(f"{port}: Ctrl-C ends this", flush=True)
    try:
        _follow(port, line)
    except KeyboardInterrupt:
        print()


def _follow(port: str, line: serial.SerialBase) -> None:
    text = ""
    while True:
        try:
            data = line.read(1)
            data += line.read(line.in_waiting)
        except OSError:
            print(f"\n{port} has gone; waiting for it", flush=True)
            line = _wait_for(port)
            continue
        text = _show(text + data.decode(errors="replace").replace("\r", ""), len(text))


def _show(text: str, shown: int) -> str:
    """Print `text` from `shown` on and return its last line, which is not complete.

    A traceback line is followed by its source, and a line that tells how to reach the board by a
    QR code.
    """
    *whole, rest = text.split("\n")
    for line in whole:
        print(line[shown:], flush=True)
        shown = 0
        source = source_of(line)
        if source:
            print(f"    -> {source}", flush=True)
        code = qrcodes.of_line(line) if qrcodes.can_be_shown() else ""
        if code:
            print(code, flush=True)
    sys.stdout.write(rest[shown:])
    sys.stdout.flush()
    return rest


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
