"""A session at a board's MicroPython prompt, through mpremote's transport."""

from __future__ import annotations

import ast
import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from tools.failure import Failure, Interrupted, spelled

from . import ports

_SILENT = (
    "no MicroPython answers there. Press the board's RESET button and try again; "
    "if it has no MicroPython yet: make flash PORT={port}"
)
_GONE = "check its cable and power, press its RESET button, and run this again"
# Seconds of silence until a board counts as gone: a nearly full flash is slow.
_ANSWER = 30

# Frees the memory of the program that was interrupted. A soft reset would run boot.py, which may
# wait for a Wi-Fi to join.
_FREE_MEMORY = """
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


class BoardError(Failure):
    """Code on the board raised; the message is its traceback."""


class _Transport(SerialTransport):
    """Waits longer for an answer than mpremote does, also in its file operations."""

    def exec_raw(self, command, timeout=None, data_consumer=None):
        return super().exec_raw(command, timeout or _ANSWER, data_consumer)


class Session:
    """A board at its prompt; its program was interrupted. Use it as a context manager.

    Entering and every method raise Failure if the port cannot be used or the board does not
    answer.
    """

    def __init__(self, port: str, patience: float = 2, attempts: int = 6):
        """patience: seconds to wait for the prompt, in each of `attempts`."""
        self.port = port
        self._patience = patience
        self._attempts = attempts
        self._is_restarted = False

    def __enter__(self) -> Session:
        self._open()
        try:
            self._enter()
        except BaseException as error:
            self._close()
            self._explain_interrupt(type(error))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_) -> None:
        """Leave the prompt. Raises Interrupted after Ctrl-C if the board's program is stopped."""
        with contextlib.suppress(OSError, TransportError):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        self._close()
        self._explain_interrupt(kind)

    def _explain_interrupt(self, kind: type[BaseException] | None):
        if kind and issubclass(kind, KeyboardInterrupt) and not self._is_restarted:
            raise Interrupted(
                f"{self.port}: interrupted. The board's program is stopped, and what was being "
                f"copied is incomplete: run this again, or make reset PORT={self.port}"
            ) from None

    def _open(self):
        try:
            self._transport = _Transport(ports.url(self.port), timeout=self._patience)
        except (TransportError, ValueError, OSError):
            raise ports.explain(self.port, _SILENT.format(port=self.port)) from None
        if not self.port.startswith("rfc2217:"):  # which has no such timeout
            self._transport.serial.write_timeout = self._patience

    def _close(self):
        with contextlib.suppress(OSError):
            self._transport.close()
        with contextlib.suppress(OSError):  # the line above gives up if the port has gone
            self._transport.serial.close()

    def _enter(self):
        for _ in range(self._attempts):  # a board that is restarting misses the first Ctrl-C
            with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints unexpected output
                try:
                    self._transport.enter_raw_repl(
                        soft_reset=False, timeout_overall=self._patience
                    )
                    # Not longer: if the board has restarted since, only the next attempt helps.
                    self.run(_FREE_MEMORY, self._patience)
                    return
                except (TransportError, OSError, Failure):
                    continue
        raise Failure(f"{self.port}: {_SILENT.format(port=self.port)}")

    def run(self, code: str, seconds: float | None = None) -> str:
        """Run code on the board and return what it printed. Raises BoardError if it raised.

        seconds: how long the board may be silent, if not for the usual time.
        """
        try:
            output, error_output = self._ask(self._transport.exec_raw, code, seconds)
        except OSError as error:
            raise Failure(f"{self.port}: the board stopped answering ({error}): {_GONE}") from None
        if error_output:
            raise BoardError(error_output.decode(errors="replace").strip())
        return output.decode().replace("\r\n", "\n")

    def value(self, code: str):
        """Run code that prints the repr of a value and return the value."""
        return ast.literal_eval(self.run(code))

    def file(self, operation: str, *arguments) -> Any:
        """Call mpremote's fs_`operation`, such as "mkdir" or "readfile", and return its result.

        Raises OSError, or BoardError for unusual reasons, if the board's file system refuses it.
        """
        return self._ask(getattr(self._transport, f"fs_{operation}"), *arguments)

    def _ask(self, function: Callable, *arguments, **options):
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # as above
                return function(*arguments, **options)
        except TransportExecError as error:
            raise BoardError(error.error_output.strip()) from None
        except (TransportError, serial.SerialException) as error:
            raise Failure(f"{self.port}: the board stopped answering ({error}): {_GONE}") from None

    def restart(self) -> None:
        """Restart the board as its RESET button does. `lines` returns what it prints then."""
        reset = "import machine\nmachine.reset()"
        try:
            try:
                self._transport.exec_raw_no_follow(reset)
            except TransportError:  # the board was interrupted in the middle of an answer
                self._enter()
                self._transport.exec_raw_no_follow(reset)
        except (TransportError, OSError) as error:
            raise Failure(f"{self.port}: the board cannot be restarted ({error})") from None
        self._transport.in_raw_repl = False
        self._is_restarted = True

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield what the board prints, line by line, for so long.

        A port that disappears with the reset (a chip with USB of its own) is opened again.
        """
        end = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # it has gone already: the timeout is for the next one
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


def repl(port: str) -> int:
    """Open mpremote's terminal on a port that can be used, and return its exit status."""
    port = ports.choose(port)
    problem = ports.problem(port)
    if problem:
        raise problem
    return subprocess.call([sys.executable, "-m", "mpremote", "connect", ports.url(port), "repl"])


def reset(port: str) -> None:
    """Restart a board from its prompt, or else by the reset line."""
    port = ports.choose(port)
    try:
        with Session(port, patience=2, attempts=1) as session:
            session.restart()
    except Failure:
        _pulse_reset_line(port)
        print(f"{port}: no prompt; the reset line was pulsed, which most boards obey")
    else:
        print(spelled(f"{port}: restarted; `make monitor PORT={port}` shows its output"))


def _pulse_reset_line(port: str) -> None:
    """Pulse RTS, which most boards have wired to their RESET. The board does not confirm it."""
    try:
        with serial.serial_for_url(ports.url(port), exclusive=True) as line:
            line.dtr = False
            line.rts = True
            time.sleep(0.1)
            line.rts = False
    except (OSError, ValueError):
        raise ports.explain(port, "it has no line to reset a board by") from None
