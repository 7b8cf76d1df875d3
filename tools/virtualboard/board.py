"""A virtual board: the interpreter, its flash, its serial port and the air around it, run by one
thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from tools.ports import free_port

from . import chipheap, chips, disk
from . import flash as flash_filler
from .disk import Disk
from .interpreter import compile_text, interpreter, takes_interrupts
from .serialport import Console, Port

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
TICK_MS = 20
# While a program runs and no other one has the serial port open. With 20, the thread takes more
# of a CPU than the interpreter of an idle board.
IDLE_TICK_MS = 100
# A start makes 200 files, which takes a disk's file system ten times as long as memory.
MEMORY_FOLDER = Path("/dev/shm")
MEMORY_LEAST = 32 * 1024 * 1024  # bytes free there; a board takes up to 3 MB
LINE_SECONDS = 0.5  # how long a message of the virtual board waits for the end of a line
PATIENCE = 0.3  # s until a program that waits for nothing is interrupted as it is
# What the launcher and the stand-ins for the chip's built-in modules take of the heap, with the
# holes that loading them leaves, and the collector's tables for them. On the chip these are not in
# the heap, so they are added to what the firmware is given; the launcher fills what is too much.
STAND_INS_COST = 80 * 1024
# More where the heap can grow: the paths of the project cost up to 15 KB there.
PATHS_COST = 32 * 1024
DEFAULT_HEAP = "192k"  # with 64 bits; docs/virtual-board.md compares it with a chip's
# With 32 bits, if the interpreter cannot grow its heap as a chip's. The firmware uses up to 90 KB.
FIXED_HEAP = "128k"
PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5


def heap_bytes(text: str) -> int:
    """Return the size of a heap such as "64k" or "2m".

    Raises ValueError if it is none, or too small for a board.
    """
    match = re.fullmatch(r"(\d+)([kKmM]?)", str(text).strip())
    if not match:
        raise ValueError(f"heap {text!r} is not a size such as 64k, 128k or 2m")
    size = int(match[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[match[2].lower()]
    if size < 16 * 1024:
        raise ValueError(f"heap {text!r} is too small: a board has at least 16k")
    return size


def choose_heap(text: str | None, word: int, grows: bool = True) -> int | None:
    """Return the bytes of a heap like "64k", or None for that of a chip: "chip", which is the
    default with 32 bits if the interpreter grows its heap as a chip does.

    Raises ValueError if it is not a size, too small for a board, or a chip's with 64 bits.
    """
    if text is None:
        text = DEFAULT_HEAP if word != 32 else "chip" if grows else FIXED_HEAP
    if text != "chip":
        return heap_bytes(text)
    if word != 32:
        raise ValueError("heap 'chip' is that of a board with 32-bit words: use WORD=32")
    return None


# Let glibc place the heap below 2 GB, as on a chip. Above, id() makes an integer that needs memory
# with 32-bit words, and so do poll.unregister() and others that use it.
LOW_ADDRESSES = {"MALLOC_MMAP_MAX_": "0"}
# Loaded here, because a new process must not load anything before it starts its program.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


def _end_with_parent():
    """Make sure that this new process does not outlive its parent, even one that is killed.

    With a terminal of its own it gets a SIGHUP. Linux also kills it.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` ignores it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


_PORT_PROBLEMS = {
    errno.EADDRINUSE: "it is in use, perhaps by another virtual board; choose others: {options}",
    errno.EACCES: "ports below 1024 belong to the administrator; choose another one",
}


def _memory_folder() -> Path | None:
    """Return a folder in memory, or None if there is none, it is full, or TMPDIR names another."""
    if "TMPDIR" in os.environ or not os.access(MEMORY_FOLDER, os.W_OK | os.X_OK):
        return None
    return MEMORY_FOLDER if shutil.disk_usage(MEMORY_FOLDER).free > MEMORY_LEAST else None


@lru_cache(maxsize=2)
def _stand_ins(arch: str | None) -> dict[str, bytes]:
    """Return the files of the stand-ins for the chip's built-in modules, {name: content}.

    arch: the interpreter's, which they are compiled for, or None to leave them as they are.
    """
    paths = sorted((HERE / "modules").glob("*.py"))
    if not arch:
        return {path.name: path.read_bytes() for path in paths}
    return {path.stem + ".mpy": compile_text(path.read_bytes(), path.name) for path in paths}


_PORT_OPTIONS = "HTTP_PORT= and HTTPS_PORT= (--http-port, --https-port)"


def check_port(port: int, options: str = _PORT_OPTIONS) -> None:
    """Raise OSError, with a message for people, if a port is invalid, taken or not allowed.

    options: those that choose another one.
    """
    if not 0 <= port < 65536:
        raise OSError(
            errno.EINVAL, f"port {port} is not valid: use 1 to 65535, or 0 for any that is free"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = _PORT_PROBLEMS.get(error.errno or 0, str(error.strerror))
            why = why.format(options=options)
            raise OSError(
                error.errno, f"port {port} of this machine cannot be used: {why}"
            ) from None


Board = TypeVar("Board", bound="VirtualBoard")


class VirtualBoard:
    """A board that runs on this machine. Use it as a context manager, or start() and stop() it.

    config: a dict, or a file, for /config.json. heap: what the firmware has, such as "160k".
    files: more files for the flash, {path: content}. http_port, https_port: where the board's
    ports 80 and 443 (or those that its config names) appear on 127.0.0.1; 0 for any that is free.
    sets_ports: write these two into a valid config.json, so that the board names them itself.
    dns_port is where its UDP port 53 does.
    source: run lib/ from source instead of compiled; native=False: compiled to bytecode alone.
    chip: whose limits and names it has, such as "c3"; see chips. sockets: how many the board has,
    if not as many as the chip. air: what its Wi-Fi sees, see air(). flash: keep the flash in
    this folder instead of a temporary one.
    certs: a folder that `make certs` has filled, for wss://. application: {path on the board: file
    here}, empty for the demo; None keeps the one on the flash.
    image: run from a littlefs file system instead of a folder: an image of `make image`, or a
    Disk. The image itself is not changed. `files` and `config` replace files in it.
    littlefs: run the files of this project from a littlefs file system. romfs: a ROMFS image that
    is mounted at /rom; lib/ is then only there. If the firmware's modules are frozen into the
    interpreter, the flash has no lib/ either.
    on_output: called with what the board prints, as bytes. on_ready: called each time that the
    board begins to serve.
    """

    address = "127.0.0.1"

    # Long: 21 options, and the order in which they fill the flash.
    def __init__(
        self,
        config: dict | Path | None = None,
        heap: str | None = None,
        files: dict[str, str | bytes] | None = None,
        http_port: int = 0,
        https_port: int = 0,
        sets_ports: bool = False,
        source: bool = False,
        native: bool = True,
        sockets: int | None = None,
        chip: str = "",
        air: dict | None = None,
        root: Path = ROOT,
        flash: Path | None = None,
        certs: Path | None = None,
        application: dict[str, Path] | None = None,
        image: Path | Disk | None = None,
        littlefs: bool = False,
        romfs: bytes = b"",
        on_output: Callable[[bytes], None] | None = None,
        on_ready: Callable[[], None] | None = None,
    ):
        self._interpreter = interpreter()
        build = chipheap.build_of(Path(self._interpreter.command[-1]))
        self._heap = choose_heap(heap, self._interpreter.word, bool(build))
        self._build = build if self._heap is None else None
        self.http_port = http_port or free_port()
        self.https_port = https_port or free_port()
        self.dns_port = free_port(socket.SOCK_DGRAM)
        self._on_output = on_output
        self._on_ready = on_ready
        row = chips.choose(chip)
        self._chip = chips.describe(row)
        self._sockets = sockets or row.sockets
        self._run = Path(tempfile.mkdtemp(prefix="virtualboard-", dir=_memory_folder()))
        self.flash = flash or self._run / "flash"
        # Of a littlefs file system; 0: the flash is a folder.
        self._blocks = disk.BLOCKS if littlefs else 0
        if (image or littlefs) and flash:
            raise ValueError("flash is a folder: give either it, or image or littlefs")
        try:
            if image:
                found = disk.read(image, root) if isinstance(image, Path) else image
                self._blocks = found.blocks
                flash_filler.unfold(self.flash, found.files)
            if flash:
                flash_filler.check_folder(flash)
                flash.mkdir(parents=True, exist_ok=True)
                (self._run / "flash").symlink_to(flash.resolve(), target_is_directory=True)
            if not image:
                flash_filler.fill(self.flash, root, source, native)
            if application is not None:
                flash_filler.put_application(self.flash, application, source, native)
            if certs:
                flash_filler.put_certificates(self.flash, certs)
            flash_filler.put(self.flash, files or {})
            config = chips.with_network(row, config)
            ports = (self.http_port, self.https_port) if sets_ports else None
            self._served = flash_filler.put_config(self.flash, config, ports)
            self._romfs = len(romfs)
            if romfs:
                (self._run / "romfs").write_bytes(romfs)
            if (romfs or self._interpreter.is_frozen) and not image:
                shutil.rmtree(self.flash / "lib", ignore_errors=True)
            self.has_certificates = (self.flash / "certs").exists()
            if self._blocks:
                content = flash_filler.gather(self.flash)
                disk.write(Disk(content, self._blocks), self._run / "flash.img")
                shutil.rmtree(self.flash)
            self._install_stand_ins()
            wire = {} if row.wifi else {"ethernet": {"address": "192.168.1.60"}}
            self.air(**{"networks": {}, "stations": [], **wire, **(air or {})})
        except BaseException:
            shutil.rmtree(self._run, ignore_errors=True)
            raise
        self._log = ""
        self._line_open = False  # whether what was printed last has not ended its line
        self._shown = 0.0  # when that was
        self._changed = threading.Condition()
        self._ready = self._plain = self._secure = False
        self._thread: threading.Thread | None = None
        self._orders: list[Callable[[], None]] = []
        self._fresh: list[float] = []  # times of the latest starts
        self._watchdog = 0.0  # seconds that it waits to be fed; 0: it is off
        self._fed = 0.0

    # --- for tests and for the command line

    def start(self: Board) -> Board:
        """Switch the board on."""
        os.mkfifo(self._run / "events")
        self._events = os.open(self._run / "events", os.O_RDWR | os.O_NONBLOCK)
        self._event_text = b""
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        self._port = Port()
        self._console = Console(self._interrupt, self._give_program)
        self._stopping = False
        self._started = False
        self._asked = 0.0  # since when an interrupt is to be sent
        self._thread = threading.Thread(target=self._loop, name="virtual board", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Switch the board off and remove what it left behind."""
        if self._thread:
            self._stopping = True
            os.write(self._waker, b"x")
            self._thread.join()
            self._thread = None
            for descriptor in (self._events, self._wake, self._waker):
                os.close(descriptor)
            self._port.close()
            self._console.close()
        shutil.rmtree(self._run, ignore_errors=True)

    def __enter__(self: Board) -> Board:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Return whether it is switched on (and has not failed)."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def serial(self) -> str:
        """Return the path of the serial port, for mpremote."""
        return self._port.path

    @property
    def pid(self) -> int:
        """Return the interpreter's process id; it changes at every reset."""
        return self._process.pid

    @property
    def http_url(self) -> str:
        return f"http://{self.address}:{self.http_port}/"

    @property
    def https_url(self) -> str:
        return f"https://{self.address}:{self.https_port}/"

    def ws_url(self, path: str = "/ws") -> str:
        return f"ws://{self.address}:{self.http_port}{path}"

    @property
    def heap(self) -> chipheap.Heap:
        """Return the board's memory now. Raises ValueError without HEAP=chip."""
        if not self._build:
            raise ValueError("only HEAP=chip on the interpreter of WORD=32 tells of its memory")
        return chipheap.read(self._run / "heap", self.pid)

    @property
    def has_chip_heap(self) -> bool:
        """Return whether the board has the memory of a chip (HEAP=chip)."""
        return self._heap is None

    def files(self) -> dict[str, bytes]:
        """Return the files on the flash, {path: content}, also of a littlefs image."""
        if not self._blocks:
            return flash_filler.gather(self.flash)
        return disk.contents((self._run / "flash.img").read_bytes(), self._blocks)

    @property
    def log(self) -> str:
        """Return all that the board has printed."""
        return self._log

    @property
    def log_position(self) -> int:
        """Return where the log ends now: to wait for what comes after."""
        return len(self._log)

    def wait_for_log(self, pattern: str, timeout: float = 30, since: int = 0) -> re.Match:
        """Wait until the log, from `since` on, has the regular expression; returns the match.
        AssertionError in vain.
        """
        found: list[re.Match] = []

        def look():
            found.extend(re.finditer(pattern, self._log[since:]))
            return found

        self._wait(look, timeout, f"the log to show {pattern!r}")
        return found[0]

    def wait_ready(self, timeout: float = 30) -> None:
        """Wait until the board serves. AssertionError in vain."""
        self._wait(lambda: self._ready, timeout, "the board to serve")

    def serves_http(self, timeout: float = 0) -> bool:
        """Return whether the board listens without TLS; wait at most `timeout` seconds for it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._plain, timeout)

    def serves_https(self, timeout: float = 0) -> bool:
        """Return whether the board listens with TLS; wait at most `timeout` seconds for it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._secure, timeout)

    def _wait(self, condition, timeout, what):
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise AssertionError(
                    f"waited {timeout} s in vain for {what}; the log is:\n{self._log}"
                )

    def serial_write(self, data: bytes) -> None:
        """Type on the serial port."""
        self._order(lambda: self._console.write(data))

    def soft_reset(self) -> None:
        """Interrupt what runs and press Ctrl-D, as at a prompt."""
        self._ready = self._plain = self._secure = False
        self._interrupt_all(10)
        self.serial_write(b"\x02\x04")

    def exec(self, code: str, timeout: float = 30) -> str:
        """Interrupt what runs, run `code` in the raw REPL, and return what it printed.

        RuntimeError, with the traceback, when it raised. The board stays at the prompt afterwards.
        """
        self._interrupt_all(timeout)
        start = self.log_position
        self.serial_write(b"\x01")
        self.wait_for_log(r"raw REPL; CTRL-B to exit\n>", timeout, start)
        start = self.log_position
        self.serial_write(code.encode() + b"\x04")
        answer = self.wait_for_log(r"(?s)OK(.*?)\x04(.*?)\x04>", timeout, start)
        start = self.log_position
        self.serial_write(b"\x02")
        self.wait_for_log(r">>> $", timeout, start)
        if answer[2]:
            raise RuntimeError(answer[2])
        return answer[1]

    def _interrupt_all(self, timeout):
        """Ctrl-C until there is a prompt: after one that interrupts boot.py, main.py runs."""
        end = time.monotonic() + timeout
        while True:
            start = self.log_position
            self.serial_write(b"\r\x03")
            left = end - time.monotonic()
            try:
                self.wait_for_log(r">>> $", min(1, left), start)
                return
            except AssertionError:
                if left < 1:
                    raise

    def power_cycle(self) -> None:
        """Cut the power and give it back."""
        self._ready = self._plain = self._secure = False
        self._order(lambda: self._restart(PWRON_RESET))

    def air(self, **changes) -> None:
        """Change what the Wi-Fi sees: networks={ssid: {"password": ...}}, stations=[mac, ...]."""
        path = self._run / "air.json"
        air = json.loads(path.read_text()) if path.exists() else {}
        air.update(changes)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(air))
        fresh.replace(path)

    # --- the thread

    def _order(self, function):
        self._orders.append(function)
        os.write(self._waker, b"x")

    def _install_stand_ins(self):
        arch = self._interpreter.arch if flash_filler.can_compile() else None
        flash_filler.unfold(self._run / "modules", _stand_ins(arch))

    def _give_program(self, program):
        (self._run / "program.py").write_bytes(program)

    # Long: one description of the board and one command line, an entry a line.
    def _launch(self, cause, raw=False):
        chip = self._heap is None
        if chip:
            chipheap.prepare(self._run / "heap")
        self._grown = 0
        board = {
            "cause": cause,
            "raw": raw,
            "sockets": self._sockets,
            "address": self.address,
            "heap": self._heap or chipheap.FREE,
            "used": chipheap.USED,
            "growth": self._build,
            "fields": chipheap.FIELDS,
            "modules": [
                name
                for name, wanted in (("_gc", chip), ("ssl", not self._interpreter.has_ssl))
                if wanted
            ],
            "ports": {
                port: self.http_port if what == "http" else self.https_port
                for port, what in self._served.items()
            },
            "udp_ports": {53: self.dns_port},
            "blocks": self._blocks,
            "chip": self._chip,
            "romfs": self._romfs,
        }
        (self._run / "board.json").write_text(json.dumps(board))
        self._console.restart(raw)
        self._started = False
        self._asked = 0.0
        heap = self._heap or chipheap.FREE
        if self._build:
            heap += chipheap.POOL + PATHS_COST  # to grow into
        else:
            heap += self._romfs
        heap += heap // 40 + STAND_INS_COST
        command = [
            *self._interpreter.command,
            "-X",
            f"heapsize={heap}",
            "-i",
            str(HERE / "launcher.py"),
            str(self._run),
        ]
        self._fresh = [*self._fresh[-4:], time.monotonic()]
        self._process: subprocess.Popen = subprocess.Popen(
            command,
            stdin=self._console.slave,
            stdout=self._console.slave,
            stderr=self._console.slave,
            cwd=self._run,
            env={**os.environ, "TZ": "UTC", **LOW_ADDRESSES},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    def _kill(self):
        self._process.kill()
        self._process.wait()
        while self._take_output():
            pass

    def _restart(self, cause, raw=False):
        self._kill()
        self._ready = self._plain = self._secure = False
        if cause != SOFT_RESET:
            self._watchdog = 0
        self._launch(cause, raw)

    def _interrupt(self):
        if not self._started or self._process.poll() is not None:
            return False
        # The Unix port raises KeyboardInterrupt wherever it is, unlike a chip: in the middle of
        # a collection, that locks the heap for good. A program that waits does not collect.
        now = time.monotonic()
        self._asked = self._asked or now
        if not takes_interrupts(self._process.pid, busy=now - self._asked > PATIENCE):
            return False  # on the way to the prompt it would not be taken either
        self._asked = 0.0
        os.kill(self._process.pid, signal.SIGINT)
        return True

    def _loop(self):
        self._launch(PWRON_RESET)
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._kill()

    def _turn(self):
        poller = select.poll()
        poller.register(self._console.master, select.POLLIN)
        poller.register(self._events, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        tick = 2 if self._console.is_waiting() else TICK_MS
        if self._port.is_open():
            poller.register(self._port, select.POLLIN)
        elif tick == TICK_MS and self._console.is_running():
            tick = IDLE_TICK_MS
        poller.poll(tick)
        self._take_orders()
        self._take_events()
        self._take_output()
        self._console.write(self._port.read())
        self._console.pump()
        self._take_output()  # the raw REPL's answers do not wait for the next turn
        self._port.flush()
        self._watch_heap()
        if self._process.poll() is not None:
            self._exited()
        elif self._watchdog and time.monotonic() > self._fed + self._watchdog:
            self._show(b"E task_wdt: Task watchdog got triggered.\r\n")
            self._restart(WDT_RESET)

    def _watch_heap(self):
        """Tell on serial when the heap has grown: no board without PSRAM should need that."""
        if not self._build:
            return
        page = chipheap.numbers(self._run / "heap")
        if page["grown"] > self._grown and self._started:
            # The board may be about to end its line: an output comes in pieces.
            if self._line_open and time.monotonic() < self._shown + LINE_SECONDS:
                return
            self._grown = page["grown"]
            if self._console.raw:
                return  # a tool reads this
            self._show(
                b"\r\n" * self._line_open
                + f"E virtual board: the heap has grown to {chipheap.usable(page['raw'])} bytes, "
                f"for a request of {page['request']}\r\n".encode()
            )

    def _take_orders(self):
        try:
            os.read(self._wake, 1024)
        except BlockingIOError:
            return
        while self._orders:
            self._orders.pop(0)()

    def _take_events(self):
        try:
            self._event_text += os.read(self._events, 4096)
        except BlockingIOError:
            return
        # What was printed before comes first.
        while self._take_output():
            pass
        *lines, self._event_text = self._event_text.split(b"\n")
        for line in lines:
            self._take_event(line.decode())

    def _take_event(self, event):
        if event == "started":
            self._started = True
        elif event == "hard reset":
            self._restart(HARD_RESET)
        elif event == "soft reset":
            self._soft_reset()
        elif event == "fed":
            self._fed = time.monotonic()
        elif event.startswith("watchdog "):
            self._watchdog = int(event.split()[1]) / 1000
            self._fed = time.monotonic()
        elif event.startswith("listening "):
            self._listening(int(event.split()[1]))

    def _listening(self, port):
        if port in self._served:
            with self._changed:
                self._secure = self._secure or self._served[port] == "https"
                self._plain = self._plain or self._served[port] == "http"
                self._changed.notify_all()
        if port in self._served and not self._ready:
            with self._changed:
                self._ready = True
                self._changed.notify_all()
            if self._on_ready:
                self._on_ready()

    def _soft_reset(self):
        raw = self._console.raw
        self._kill()
        self._show(b"MPY: soft reboot\r\n")
        self._restart(SOFT_RESET, raw)

    def _exited(self):
        """Handle the end of the interpreter: a soft reset, or after a crash a power cycle."""
        while self._take_output():
            pass
        if self._process.returncode == 0:
            self._soft_reset()
            return
        self._show(
            f"virtual board: the interpreter died ({self._process.returncode})\r\n".encode()
        )
        if len(self._fresh) == 5 and time.monotonic() - self._fresh[0] < 3:
            time.sleep(1)  # it dies again and again
        self._restart(HARD_RESET)

    def _take_output(self):
        data = self._console.read()
        if data:
            self._show(data)
        return bool(data)

    def _show(self, data):
        self._shown = time.monotonic()
        self._line_open = not data.endswith(b"\n")
        self._port.send(data)
        if self._on_output:
            self._on_output(data)
        with self._changed:
            self._log += data.decode(errors="replace").replace("\r\n", "\n")
            self._changed.notify_all()
