"""The board's serial port: a pseudo terminal for others to open, wired to the interpreter's own.

What the wire has to make up for, because the Unix port's terminal is not a UART: - Ctrl-C must
interrupt a running program. The Unix port only takes SIGINT, and only while something runs. - The
Unix port throws pending input away when it comes back to the prompt. A UART does not. - A print
ends with CR LF on a board. - Nobody may be listening; a UART does not care.
"""

from __future__ import annotations

import collections
import os
import re
import select
import termios
import time
import tty

MOST_WAITING = (
    65536  # bytes on their way to whoever has the port open; beyond that, the oldest are lost
)
CTRL_C = b"\x03"
# The launcher prints this when the raw REPL is to follow: the friendly one's greeting is then not
# for anybody.
MARKER = b"\0raw\0"
RAW_GREETING = b"raw REPL;"
PASTE_STARTS = b"R\x01\x80\x00\x01"  # a program may come by raw paste, 128 bytes at a time


class Port:
    """The outer pseudo terminal: `path` is what mpremote opens."""

    def __init__(self):
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._open = False

    def fileno(self) -> int:
        return self._master

    def is_open(self) -> bool:
        """Whether somebody has the port open. If not, nothing that is sent waits for whoever opens
        it next.
        """
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        self._open = not any(event & select.POLLHUP for _, event in poller.poll(0))
        if not self._open:
            self._waiting.clear()
            self._size = 0
        return self._open

    def read(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:  # EAGAIN, or EIO: nobody has it open
            return b""

    def send(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        while self._size > MOST_WAITING:
            self._size -= len(self._waiting.popleft())
        self.flush()

    def flush(self) -> None:
        """Write what the reader takes."""
        if not self.is_open():
            return
        while self._waiting:
            try:
                count = os.write(self._master, self._waiting[0])
            except OSError:
                return
            self._size -= count
            data = self._waiting.popleft()[count:]
            if data:
                self._waiting.appendleft(data)
                return

    def close(self) -> None:
        os.close(self._master)


class Console:
    """The interpreter's side: its terminal, and what is known of what it is doing."""

    def __init__(self, interrupt):
        """interrupt(): send SIGINT to the interpreter; False if it cannot take one yet."""
        self.master, self.slave = os.openpty()
        attributes = termios.tcgetattr(self.slave)
        # Neither echo nor translation nor signals. IEXTEN, which then does nothing, marks that a
        # program runs: the interpreter clears all local flags at its prompt, and puts them back to
        # run something.
        attributes[0] = attributes[1] = 0
        attributes[3] = termios.IEXTEN
        self._attributes = attributes
        os.set_blocking(self.master, False)
        self._interrupt = interrupt
        self.raw = False  # whether the raw REPL was entered last
        self.restart(False)

    def restart(self, raw: bool) -> None:
        """A new interpreter is about to start. raw: it is to come up in the raw REPL."""
        termios.tcsetattr(self.slave, termios.TCSAFLUSH, self._attributes)
        self.raw = raw
        self._input = b""
        self._held_until = 0.0
        self._was_held = False
        self._pasting = (
            0  # Ctrl-Ds that a program given by raw paste is still to print while it runs
        )
        self._paste = False
        self._hidden = False
        self._output = self._unseen = self._tail = b""

    def is_running(self) -> bool:
        """Whether a program runs; else the interpreter waits for input."""
        return self._pasting > 0 or bool(termios.tcgetattr(self.master)[3] & termios.IEXTEN)

    def is_waiting(self) -> bool:
        """Whether `pump` has something left to hand on."""
        return bool(self._input)

    def write(self, data: bytes) -> None:
        """Take bytes for the interpreter; `pump` hands them on when it is ready for them."""
        self._input = (self._input + data)[-MOST_WAITING:]

    def pump(self) -> None:
        """Hand on what can be handed on now."""
        while self._input and time.monotonic() >= self._held_until:
            if not (self._pump_running() if self.is_running() else self._pump_prompt()):
                return

    def _hold(self, seconds):
        self._held_until = time.monotonic() + seconds

    def _pump_running(self):
        if CTRL_C in self._input:
            # Several are one interrupt: a second SIGINT before the first is seen ends the Unix
            # port.
            if self._interrupt():
                self._input = self._input.replace(CTRL_C, b"")
                self._hold(0.05)
            else:
                self._hold(0.003)
        elif not self._was_held:
            # What comes right at a program's end is for the prompt, which would throw it away if
            # it was there first.
            self._was_held = True
            self._hold(0.03)
        else:
            self._was_held = False
            return self._forward(len(self._input))
        return True

    def _pump_prompt(self):
        # Up to one control character at a time: each may change who reads the next.
        match = re.search(rb"[\x01-\x05]", self._input)
        control = match and match[0]
        if not self._forward(match.end() if match else len(self._input)):
            return False
        if control == b"\x01" and not self._paste:
            self.raw = True
        elif control == b"\x02":
            self.raw = False
        elif control == b"\x04" and self._paste:
            self._paste = False
            self._pasting = 3
        if control:
            self._hold(0.005)
        return True

    def _forward(self, count):
        try:
            written = os.write(self.master, self._input[:count])
        except BlockingIOError:
            written = 0
        self._input = self._input[written:]
        if written < count:
            self._hold(0.002)
        return written == count

    def read(self) -> bytes:
        """What the interpreter has printed, as a board would send it."""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return b""
        data = self._output + data
        # A marker that may be cut waits for its rest. A whole one at the end is none: its last
        # byte is also its first.
        keep = 0
        if not data.endswith(MARKER):
            keep = max((n for n in range(1, len(MARKER)) if data.endswith(MARKER[:n])), default=0)
        self._output = data[len(data) - keep :]
        return self._filter(data[: len(data) - keep])

    def _filter(self, data):
        if MARKER in data:
            before, data = data.split(MARKER, 1)
            shown = self._filter(before)
            self._hidden = True
            self._input = b"\x01" + self._input
            return shown + self._filter(data)
        if self._hidden:
            data = self._unseen + data
            position = data.find(RAW_GREETING)
            if position < 0:
                self._unseen = data[1 - len(RAW_GREETING) :]
                return b""
            self._hidden = False
            self._unseen = b""
            data = data[position:]
        # What is looked for may come in pieces.
        before, self._tail = self._tail, (self._tail + data)[-len(PASTE_STARTS) :]
        if self.raw and data and self._tail == PASTE_STARTS:
            self._paste = True
        elif self._pasting:
            self._pasting = max(0, self._pasting - data.count(b"\x04"))
        start = b"\r" if before.endswith(b"\r") else b""
        return re.sub(rb"(?<!\r)\n", b"\r\n", start + data)[len(start) :]

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)
