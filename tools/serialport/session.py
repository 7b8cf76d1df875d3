"""The prompt of the MicroPython on a board, through mpremote's transport."""

from __future__ import annotations

import ast
import binascii
import contextlib
import io
import time
from collections.abc import Iterator

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from tools.failure import Failure

from . import ports

_SILENT = (
    "nothing there answers as MicroPython does. Press the board's RESET button and try again; "
    "if it has no MicroPython yet: make flash PORT={port}"
)
_CHUNK = 768  # bytes of a file at a time
_ANSWER = 10  # seconds of silence until a board counts as gone

# What was running goes, so that its memory is free: a soft reset would run boot.py, which may wait
# for a Wi-Fi to join.
_MAKE_ROOM = """
import sys
for _n in list(globals()):
    if _n[0] != "_" and _n != "sys":
        del globals()[_n]
for _n in list(sys.modules):
    if getattr(sys.modules[_n], "__file__", "").lstrip("/").startswith("lib/"):
        del sys.modules[_n]
import gc
gc.collect()
"""


class Session:
    """A board that listens: what it ran was stopped. Use it as a context manager.

    Entering and every call raise Failure when the port cannot be used or the board falls silent.
    """

    def __init__(self, port: str, patience: float = 2, attempts: int = 6):
        """patience: seconds to wait for the prompt, in each of `attempts`."""
        self.port = port
        self._patience = patience
        self._attempts = attempts

    def __enter__(self) -> Session:
        self._open()
        try:
            self._enter()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError, TransportError):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        self._close()

    def _open(self):
        try:
            self._transport = SerialTransport(ports.url(self.port), timeout=self._patience)
        except (TransportError, ValueError, OSError):
            raise ports.explain(self.port, _SILENT.format(port=self.port)) from None
        if not self.port.startswith("rfc2217:"):  # which has none
            self._transport.serial.write_timeout = self._patience

    def _close(self):
        with contextlib.suppress(OSError):
            self._transport.close()
        with contextlib.suppress(OSError):  # the other one gives up where the port has gone
            self._transport.serial.close()

    def _enter(self):
        for _ in range(self._attempts):  # one that is just restarting misses the first Ctrl-C
            with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it does not get
                try:
                    self._transport.enter_raw_repl(
                        soft_reset=False, timeout_overall=self._patience
                    )
                    self.run(_MAKE_ROOM)
                    return
                except (TransportError, OSError, Failure):
                    continue
        raise Failure(f"{self.port}: {_SILENT.format(port=self.port)}")

    def run(self, code: str) -> str:
        """Run code on the board; returns what it printed. BoardError: it raised."""
        try:
            output, error_output = self._transport.exec_raw(code, timeout=_ANSWER)
        except (TransportError, OSError) as error:
            raise Failure(f"{self.port}: the board stopped answering ({error})") from None
        if error_output:
            raise BoardError(error_output.decode(errors="replace").strip())
        return output.decode().replace("\r\n", "\n")

    def value(self, code: str):
        """Run code that prints the repr of something; returns that."""
        return ast.literal_eval(self.run(code))

    def read(self, path: str) -> bytes:
        """A file of the board."""
        text = self.run(
            f"import binascii\nwith open({path!r},'rb') as _f:\n"
            f" while 1:\n  _b=_f.read({_CHUNK})\n  if not _b: break\n"
            "  print(binascii.b2a_base64(_b).decode(),end='')"
        )
        return b"".join(binascii.a2b_base64(line) for line in text.splitlines())

    def restart(self) -> None:
        """Restart the board as its button does. What it prints then is for `lines`."""
        try:
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        except (TransportError, OSError) as error:
            raise Failure(f"{self.port}: the board cannot be restarted ({error})") from None
        self._transport.in_raw_repl = False

    def lines(self, seconds: float) -> Iterator[str]:
        """What the board prints, line by line, for so long. A port that goes away with the reset
        (a chip with USB of its own) is opened again.
        """
        end = time.monotonic() + seconds
        self._transport.serial.timeout = 0.1
        line = b""
        while time.monotonic() < end:
            try:
                line += self._transport.serial.read(1)
                line += self._transport.serial.read(self._transport.serial.in_waiting)
            except OSError:
                time.sleep(0.2)
                self._reopen()
            *whole, line = line.split(b"\n")
            for text in whole:
                yield text.decode(errors="replace").rstrip("\r")

    def _reopen(self):
        self._close()
        with contextlib.suppress(OSError):
            self._transport.serial.open()


class BoardError(Failure):
    """Code on the board raised; the text is its traceback."""


def reset_by_wire(port: str) -> None:
    """Pulse the line that most boards have wired to their RESET. Failure: the port cannot be used.

    Nothing answers for it: a board without that wire is not reset.
    """
    try:
        with serial.serial_for_url(ports.url(port), exclusive=True) as line:
            line.dtr = False
            line.rts = True
            time.sleep(0.1)
            line.rts = False
    except (OSError, ValueError):
        raise ports.explain(port, "it has no line to reset a board by") from None
