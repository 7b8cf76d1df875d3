"""The board's serial port: a pseudo terminal for others to open, wired to the interpreter's own.

A UART and the terminal of MicroPython's Unix port differ. This module makes up for that:

- Ctrl-C must interrupt a running program. The Unix port takes SIGINT only, and only while a
  program runs.
- The Unix port throws pending input away when it comes back to the prompt. A UART does not.
- A print ends with CR LF on a board.
- A UART does not care whether anything listens.
- Not every Unix port has the raw REPL. `Console` plays it on top of the friendly one.
"""

from __future__ import annotations

import collections
import os
import re
import select
import termios
import time
import tty
from collections.abc import Callable

MOST_WAITING = (
    65536  # bytes on their way to the reader of the port; beyond that, the oldest are lost
)
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
# What the launcher and machine.py print, to tell the console where it is.
RAW = b"\x1eraw\x1e"  # boot.py has run, and the raw REPL is to follow
RUN = b"\x1erun\x1e"  # a program that came over the raw REPL begins
OUT = b"\x1eout\x1e"  # it has ended: its traceback follows, if any
END = b"\x1eend\x1e"
FRIENDLY = b"\x1efri\x1e"  # the greeting of the friendly prompt follows
OWN = b"\x1eown\x1e"  # the Unix port's own greeting follows, which is not shown
READY = b"\x1eps1\x1e"  # the prompt follows, whose text contains this
ALL_MARKERS = (RAW, RUN, OUT, END, FRIENDLY, OWN, READY)
MARKERS = re.compile(b"|".join(ALL_MARKERS))
MARKER_SIZE = 5
# Typed at the friendly prompt, hidden from the port's reader.
RUN_COMMAND = b'__import__("machine")._run(%d)\r'
GREET_COMMAND = b'__import__("machine")._greet()\r'
RAW_GREETING = b"raw REPL; CTRL-B to exit\r\n>"
PASTE = b"\x05A\x01"
LINE_TIME = 0.5  # s until a line that was typed is taken for input of a program
WINDOW = 128  # bytes that raw paste takes before it asks for more
# The frame of machine.py that runs a program does not belong to the program.
OWN_FRAME = re.compile(rb'  File "machine.py", line \d+, in _run\r?\n')


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
        """Return whether the port is open. While it is not, what is sent is lost."""
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
        except OSError:  # EAGAIN, or EIO: no program has it open
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
    """The interpreter's side: its terminal, what is known of its state, and the raw REPL.

    The raw REPL is played here, the same on every interpreter: a program is collected, handed over
    by `give`, and run by a command at the friendly prompt, whose echo and prompt are hidden.
    """

    def __init__(self, interrupt: Callable[[], bool], give: Callable[[bytes], None]):
        """interrupt(): send SIGINT to the interpreter; False if it cannot take one yet.
        give(program): put a program where machine._run() finds it.
        """
        self.master, self.slave = os.openpty()
        attributes = termios.tcgetattr(self.slave)
        # Neither echo nor translation nor signals. IEXTEN, which then does nothing, marks that a
        # program runs: the interpreter clears all local flags at its prompt, and restores them to
        # run something.
        attributes[0] = attributes[1] = 0
        attributes[3] = termios.IEXTEN
        self._attributes = attributes
        os.set_blocking(self.master, False)
        self._interrupt = interrupt
        self._give = give
        self.raw = False  # whether the raw REPL was entered last
        self.restart(False)

    def restart(self, raw: bool) -> None:
        """Prepare for a new interpreter. raw: it is to come up in the raw REPL."""
        termios.tcsetattr(self.slave, termios.TCSAFLUSH, self._attributes)
        self.raw = raw
        self._input = b""
        self._held_until = 0.0
        self._was_held = False
        self._at_line_start = True  # of the friendly prompt
        self._paste = False  # whether it is in paste mode
        self._awaited_until = 0.0  # until when it is waited for after a line; 0: it is not
        self._output = b""  # read, but perhaps the beginning of a marker
        self._shown = b""  # for the next read()
        self._last = b""  # the last byte that was shown
        self._muted = False
        self._expected = b""  # the marker that ends the hiding of what was typed
        self._greeted = False  # whether the Unix port's own greeting is on its way
        self._returning = False  # whether the interpreter is on its way to the prompt
        self._section = b""  # of a program's output: RUN, OUT, or b"" if none runs
        self._trace = b""  # the incomplete last line of a traceback
        self._program = b""
        self._pasted = -1  # bytes of a program that comes by raw paste; -1: by other means

    def is_running(self) -> bool:
        """Return whether a program runs; else the interpreter waits for input."""
        return bool(termios.tcgetattr(self.master)[3] & termios.IEXTEN)

    def is_waiting(self) -> bool:
        """Return whether `pump` has something left to hand on."""
        return bool(self._input)

    def write(self, data: bytes) -> None:
        """Take bytes for the interpreter; `pump` hands them on when it is ready for them."""
        self._input = (self._input + data)[-MOST_WAITING:]

    def pump(self) -> None:
        """Hand on the input that can be handed on now."""
        while self._may_hand_on():
            if self.is_running():
                more = self._pump_running()
            elif self._section:  # a program that came over the raw REPL waits in input()
                more = self._forward(len(self._input))
            else:
                more = self._pump_raw() if self.raw else self._pump_prompt()
            if not more:
                return

    def _may_hand_on(self):
        if not self._input or time.monotonic() < self._held_until:
            return False
        if self._returning and self.is_running():
            self._hold(0.001)
            return False
        if self._section and not self.is_running():
            self._read_terminal()  # it may have ended
        return not self._expected and not self._greeted

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
            # Input that comes right at a program's end is for the prompt, which would throw it
            # away if it was there first.
            self._was_held = True
            self._hold(0.03)
        else:
            self._was_held = False
            return self._forward(len(self._input))
        return True

    def _pump_prompt(self):
        if time.monotonic() < self._awaited_until:
            self._hold(0.001)
            return False
        # Up to one line or control character at a time: each may change the reader of the next.
        match = re.search(rb"[\x01-\x05]" if self._paste else rb"[\x01-\x05\r]", self._input)
        control = match and match[0]
        count = match.end() if match else len(self._input)
        if control == CTRL_A and count == 1 and self._at_line_start:
            self._input = self._input[1:]
            self._enter_raw()
            return True
        line = self._input[:count]
        if not self._forward(count):
            return False
        self._at_line_start = control in (CTRL_B, CTRL_C) or line[-1:] in (b"\r", b"\n")
        if control == b"\r":
            self._awaited_until = time.monotonic() + LINE_TIME
        elif control:
            self._paste = control == CTRL_E
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

    # --- the raw REPL

    def _enter_raw(self):
        self._read_terminal()  # comes before
        self.raw = True
        self._muted = True
        self._program = b""
        self._shown += b"\r\n" + RAW_GREETING

    def _pump_raw(self):
        if self._pasted >= 0:
            return self._pump_paste()
        match = re.search(rb"[\x01-\x05]", self._input)
        if not match:
            self._program, self._input = self._program + self._input, b""
            return False
        self._program += self._input[: match.start()]
        control, self._input = match[0], self._input[match.start() :]
        if control == CTRL_E:
            return self._start_paste()
        self._input = self._input[1:]
        if control == CTRL_D:
            self._shown += b"OK"
            self._run()
        elif control == CTRL_A:
            self._shown += RAW_GREETING
        elif control == CTRL_B:
            self.raw = False
            self._at_line_start = True
            self._shown += b"\r\n"
            self._type(GREET_COMMAND, FRIENDLY)
        self._program = b""
        return True

    def _run(self):
        """Run the program; without one, soft-reset, as Ctrl-D does at the friendly prompt."""
        if self._program:
            self._give(self._program)
            self._type(RUN_COMMAND % len(self._program), RUN)
        else:
            self._shown += b"\r\n"
            self._returning = False
            os.write(self.master, CTRL_C + CTRL_D)
            self._hold(0.05)

    def _start_paste(self):
        if self._program or not PASTE.startswith(self._input[: len(PASTE)]):
            self._input = self._input[1:]  # has no meaning here
            return True
        if len(self._input) < len(PASTE):
            return False
        self._input = self._input[len(PASTE) :]
        self._pasted = 0
        self._shown += b"R\x01" + WINDOW.to_bytes(2, "little") + b"\x01"
        return True

    def _pump_paste(self):
        match = re.search(rb"[\x03\x04]", self._input)
        data = self._input[: match.start() if match else len(self._input)]
        self._input = self._input[len(data) :]
        self._program += data
        before, self._pasted = self._pasted, self._pasted + len(data)
        self._shown += CTRL_A * (self._pasted // WINDOW - before // WINDOW)
        if not match:
            return False
        self._input = self._input[1:]
        self._pasted = -1
        self._shown += CTRL_D
        if match[0] == CTRL_C or not self._program:
            self._shown += CTRL_D * 2 + b">"
        else:
            self._run()
        self._program = b""
        return True

    def _type(self, line, marker):
        """Type at the friendly prompt; nothing is shown until `marker`."""
        self._read_terminal()
        self._muted = True
        self._returning = False
        self._expected = marker
        os.write(self.master, CTRL_C + line)

    def _finish(self):
        """End a program of the raw REPL that the prompt has followed without END.

        That is so if Ctrl-C came right at its end.
        """
        self._flush_trace()
        self._shown += CTRL_D * (2 if self._section == RUN else 1) + b">"
        self._section = b""
        self._muted = True

    def _flush_trace(self):
        trace, self._trace = self._trace, b""
        self._shown += trace

    # --- output

    def read(self) -> bytes:
        """Return what the interpreter has printed, as a board would send it."""
        self._read_terminal()
        shown, self._shown = self._shown, b""
        return shown

    def _read_terminal(self):
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return
        data = self._output + data
        position = 0
        for match in MARKERS.finditer(data):
            self._show(data[position : match.start()])
            self._pass(match[0])
            position = match.end()
        data = data[position:]
        # The beginning of a marker waits for its rest.
        cut = data.rfind(b"\x1e", 1 - MARKER_SIZE)
        while cut > 0 and data[cut - 1 : cut] == b"\x1e":
            cut -= 1
        keep = data[cut:] if cut >= 0 else b""
        if not any(marker.startswith(keep) for marker in ALL_MARKERS):
            keep = b""
        self._output = keep
        self._show(data[: len(data) - len(keep)])

    def _pass(self, marker):
        """Change state where the interpreter has printed a marker."""
        if marker == self._expected:
            self._expected = b""
            self._muted = False
            self._section = RUN if marker == RUN else b""
        elif marker == RAW and self.raw:
            self._muted = self._returning = True
            self._shown += RAW_GREETING
        elif marker == OWN:
            self._greeted = True
        elif marker == READY:
            self._greeted = self._returning = False
            self._awaited_until = 0.0
            if self._section:
                self._finish()
        elif marker == OUT and self._section == RUN:
            self._shown += CTRL_D
            self._section = OUT
        elif marker == END and self._section == OUT:
            self._flush_trace()
            self._shown += CTRL_D + b">"
            self._section = b""
            self._muted = self._returning = True

    def _show(self, data):
        if self._muted or self._greeted or not data:
            return
        if self._section == OUT:
            *lines, self._trace = (self._trace + data).split(b"\n")
            data = b"".join(line + b"\n" for line in lines)
            data = OWN_FRAME.sub(b"", data)
            if not data:
                return
        self._shown += re.sub(rb"(?<!\r)\n", b"\r\n", self._last + data)[len(self._last) :]
        self._last = b"\r" if data.endswith(b"\r") else b""

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)
