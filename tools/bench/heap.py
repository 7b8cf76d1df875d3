"""Measure the firmware's use of the heap: the required figures, and a breakdown.

`python -m tools.bench --memory` prints the table, and fails if a figure is missed.
`python -m tools.bench --startup` prints what each import of the start takes.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.certs import cli as certs
from tools.deploy import romfs
from tools.failure import Failure
from tools.ports import free_port
from tools.virtualboard import VirtualBoard, chipheap, interpreter
from tools.virtualboard import board as board_module
from tools.virtualboard.interpreter import compile_mpy
from tools.wsclient import TEXT, RawClient, frame

from .report import table

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).parent / "programs" / "probe.py"
LARGEST = 4600  # bytes that an allocation may take once Wi-Fi is up
NAMES = 40  # that can be added to the code of the start: see docs/design.md
REFERENCE = "97b7781"  # the commit whose start is the measure for time
PASSWORD = "bench-password"
CLIENTS = 5
SIZE = 4096 - 8


@dataclass
class Figure:
    """A line of the table. `required` is a text; `reached` is None if there is no requirement."""

    name: str
    value: str
    required: str = ""
    reached: bool | None = None


class ProbedBoard(VirtualBoard):
    """A virtual board that can be asked about its heap while the firmware runs."""

    def __init__(self, *args, show_imports: bool = False, **options):
        self._show_imports = show_imports
        self._probe_port = free_port(socket.SOCK_DGRAM)
        super().__init__(*args, **options)

    def _install_stand_ins(self):
        super()._install_stand_ins()
        target = self._run / "modules"
        text = (board_module.HERE / "modules" / "select.py").read_text(encoding="utf-8")
        text += PROBE.read_text(encoding="utf-8")
        text = text.replace("_SHOW_IMPORTS = False", f"_SHOW_IMPORTS = {self._show_imports}")
        source = self._run / "select.py"
        source.write_text(text, encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            (target / "select.py").unlink()
        compile_mpy(source, target / "select.mpy", "select.py")

    def _launch(self, *args, **options):
        os.environ["BENCH_PROBE"] = str(self._probe_port)
        super()._launch(*args, **options)

    def __enter__(self) -> ProbedBoard:
        self.start()
        return self

    def ask(self, question: str = "g") -> tuple[int, int, int, int]:
        """Ask the probe: (bytes in use, bytes free, garbage since "z", of it the stand-ins').

        question: g collects garbage first, n does not, z starts counting, m prints a map,
        q prints names and modules, t prints how many more names fit (see names_left).
        """
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(question.encode(), ("127.0.0.1", self._probe_port))
            numbers = [int(word) for word in sock.recv(100).split()]
        return numbers[0], numbers[1], numbers[2], numbers[3]

    @property
    def is_chip(self) -> bool:
        """Return whether the board has the two heaps of a chip."""
        return self._build is not None

    def in_use(self) -> int:
        """Return bytes of the heap in use after a collection, without the stand-ins."""
        _, free, _, _ = self.ask()
        if self.is_chip:
            return self.heap.used
        assert self._heap
        return self._heap - free + chipheap.USED

    def largest_free(self) -> int:
        """Return bytes of the largest free block after a collection."""
        if self.is_chip:
            self.ask()
            return self.heap.largest
        start = self.log_position
        self.ask("m")
        self.wait_for_log("<end of map>", since=start)
        found = re.search(r"max free sz: (\d+)", self.log[start:])
        assert found, self.log[start:]
        return int(found[1]) * (16 if word() == 32 else 32)

    def names_left(self) -> int:
        """Return how many names fit before the next table of names, of 4.5 KB, is allocated.

        They are added: ask this last.
        """
        start = self.log_position
        self.ask("t")
        self.wait_for_log(r"<names left> \d+\n", since=start)
        found = re.search(r"<names left> (\d+)", self.log[start:])
        assert found, self.log[start:]
        return int(found[1])


def word() -> int:
    """Return the word size of the chosen interpreter."""
    return interpreter.interpreter().word


def config(**changes) -> dict:
    """Return the settings for a measurement: the default ones, with the admin's password known."""
    settings: dict = {"admin": {"password": PASSWORD}}
    for section, values in changes.items():
        settings.setdefault(section, {}).update(values)
    return settings


class WebSocket(RawClient):
    """A client whose answers may be among other messages."""

    def __init__(self, port: int, path: str, context=None, protocols: str = ""):
        super().__init__(port, tls=context or False, timeout=10)
        self.open(path, *([f"Sec-WebSocket-Protocol: {protocols}"] if protocols else []))

    def send_text(self, payload: bytes) -> None:
        """Send a message."""
        self.send(frame(TEXT, payload))

    def message(self, holds: bytes = b"") -> bytes:
        """Return the next message that contains `holds`. Pings are answered on the way.

        Raises OSError when the server closes.
        """
        while holds not in (found := super().message()):
            pass
        return found

    def echo(self, size: int) -> None:
        """Send a message and compare the answer."""
        sent = bytes(33 + at % 90 for at in range(size))
        self.send_text(sent)
        assert self.message(sent[:8]) == sent


def get_page(port: int) -> bytes:
    """Fetch the page as a browser does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"Accept-Encoding": "gzip", "Host": "localhost"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise OSError(f"the page: {response.status} {response.reason}")
    return body


def read_settings(port: int, context=None) -> dict:
    """Read the settings as the page does. context: of TLS."""
    secret = base64.urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("=")
    client = WebSocket(port, "/settings", context, f"settings, bearer.{secret}")
    settings = json.loads(client.message(b"settings"))
    client.close()
    return settings


def wait_gone(board: ProbedBoard) -> None:
    """Give the board the time to notice clients that have gone."""
    time.sleep(0.3)
    board.ask()


def visit(
    board: ProbedBoard, step: Callable[[str], None] = lambda what: None, keys: Path | None = None
) -> list[WebSocket]:
    """Do what the table of requirements names: page, settings, five clients and 4 KB for each.

    keys: the folder of the board's certificate, if it has one; then it serves settings over TLS.
    Returns the clients, which stay.
    """
    step("serving")
    get_page(board.http_port)
    step("page served")
    if keys:
        context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        read_settings(board.https_port, context)
    else:
        read_settings(board.http_port)
    wait_gone(board)
    step("settings served")
    clients = [WebSocket(board.http_port, "/ws") for _ in range(CLIENTS)]
    step("five clients")
    for client in clients:
        client.echo(SIZE)
    step("4 KB echoed for each")
    return clients


def open_demo(board: ProbedBoard) -> WebSocket | str:
    """Open /demo and wait for its statistics. A text is why that was refused."""
    try:
        demo = WebSocket(board.http_port, "/demo")
        demo.message(b"welcome")
        demo.send_text(b'{"stats": 1}')
        demo.message(b'"stats"')
        demo.message(b'"stats"')
        return demo
    except (OSError, AssertionError) as error:
        return str(error)


def firmware_heap(keys: Path, say: Callable[[str], None], **options) -> list[Figure]:
    """Return the heap in use, without /demo and with it. options: of the board, as everywhere."""
    figures = []
    settings = config(server={"max_clients": CLIENTS + 1}, broadcast={"interval": 0})
    with ProbedBoard(settings, certs=keys, **options) as board:
        board.wait_ready()
        grown = board.heap.grown if board.is_chip else 0

        def step(what):
            say(f"  {what}: {board.in_use():,} bytes in use")

        clients = visit(board, step, keys)
        used, largest = board.in_use(), board.largest_free()
        figures.append(limit("GC heap in use, /demo closed", used, 46000))
        figures.append(Figure("largest free block, /demo closed", f"{largest:,}"))
        clients.pop().close()
        wait_gone(board)
        demo = open_demo(board)
        if isinstance(demo, str):
            figures.append(Figure("GC heap in use, /demo open with stats", f"refused: {demo}"))
            clients[0].echo(SIZE)
        else:
            used, largest = board.in_use(), board.largest_free()
            figures.append(limit("GC heap in use, /demo open with stats", used, 49000))
            if board.is_chip:
                name = "largest free block, /demo open"
                reached = largest >= LARGEST
                figures.append(Figure(name, f"{largest:,}", f"at least {LARGEST:,}", reached))
        if board.is_chip:
            figures.extend(growth(board, grown))
    return figures


def growth(board: ProbedBoard, at_start: int) -> list[Figure]:
    """Return whether the heap has grown, and the largest request since Wi-Fi is up.

    at_start: how often it had grown when the board was serving.
    """
    found = board.heap
    times = {0: "never", 1: "once"}.get(found.grown, f"{found.grown} times")
    if found.grown:
        times += f", to {found.size:,}"
    later = found.grown - at_start
    return [
        Figure("GC heap grows beyond 56,000 bytes", times, "never", not found.grown),
        Figure("GC heap grows after start-up", "yes" if later else "never", "never", not later),
        Figure("requests for memory that failed", f"{found.failed}"),
        limit("largest allocation after Wi-Fi is up", found.biggest, LARGEST),
    ]


def limit(name: str, value: int, most: int) -> Figure:
    """Return a figure of bytes with its upper limit."""
    return Figure(name, f"{value:,}", f"at most {most:,}", value <= most)


def names(keys: Path, **options) -> list[Figure]:
    """Return how many names may be added to the code that is loaded at the start."""
    with ProbedBoard(config(), certs=keys, **options) as board:
        board.wait_ready()
        if not board.is_chip:
            return []  # the stand-ins' names are in the same table
        left = board.names_left()
    name = "names until the next table of names, serving"
    if "romfs" in options:  # a new table is no harm: there is much more room
        return [Figure(name, f"{left}")]
    return [Figure(name, f"{left}", f"at least {NAMES}", left >= NAMES)]


def idle_garbage(seconds: float, **options) -> Figure:
    """Return what an idle server with five clients allocates, without the stand-ins' part."""
    settings = config(broadcast={"interval": 0}, server={"ping_interval": 5})
    with ProbedBoard(settings, **options) as board:
        board.wait_ready()
        clients = [WebSocket(board.http_port, "/ws") for _ in range(CLIENTS)]
        for client in clients:
            client.echo(32)
            threading.Thread(target=answer_pings, args=(client,), daemon=True).start()
        time.sleep(6)  # until after the first pings, which allocate attributes that stay
        board.ask()
        board.ask("z")
        time.sleep(seconds)
        _, _, total, excluded = board.ask("n")
        garbage = total - excluded
    name = f"garbage of an idle server with five clients, bytes in {seconds:.0f} s"
    return Figure(name, f"{garbage:,}", "0", garbage == 0)


def answer_pings(client: WebSocket) -> None:
    """Answer pings until the connection ends."""
    with contextlib.suppress(OSError, ValueError):
        while True:
            client.message(b"never")


def tls_clients(keys: Path, **options) -> Figure:
    """Return how many wss clients fit beside two plain ones."""
    context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
    settings = config(tls={"max_clients": 8, "reserved": 0}, server={"max_clients": 7})
    found: list[WebSocket] = []
    with ProbedBoard(settings, certs=keys, **options) as board:
        board.wait_ready()
        plain = [WebSocket(board.http_port, "/ws") for _ in range(2)]
        try:
            for _ in range(5):
                client = WebSocket(board.https_port, "/ws", context)
                client.echo(SIZE)
                found.append(client)
        except (OSError, AssertionError):
            pass
        for client in [*plain, *found]:
            client.echo(SIZE)
    return Figure("wss clients beside two plain ones", str(len(found)), "3", len(found) >= 3)


@contextlib.contextmanager
def reference_tree() -> Iterator[Path | None]:
    """Return the files of the reference commit, or None where git does not have it."""
    done = subprocess.run(["git", "archive", REFERENCE], cwd=ROOT, capture_output=True)
    if done.returncode:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def start_time(root: Path, **options) -> float:
    """Return seconds from switching the board on to its "serving" line."""
    with VirtualBoard(config(), root=root, **options) as board:
        begin = time.perf_counter()
        board.wait_for_log("serving ")
        return time.perf_counter() - begin


def reference_time(root: Path, heap: str | None) -> float:
    """Return the reference commit's time, from files, which frozen modules would precede."""
    chosen = interpreter.interpreter()
    if not chosen.is_frozen:
        return start_time(root, heap=heap)
    path = os.environ.pop(interpreter.PATH_VARIABLE)
    before = os.environ.get(interpreter.WORD_VARIABLE, "")
    interpreter.select_interpreter(chosen.word)
    try:
        return start_time(root, heap=heap)
    finally:
        os.environ[interpreter.WORD_VARIABLE] = before
        interpreter.select_interpreter(path=path)


def start_ratio(heap: str | None, rounds: int = 5, **options) -> Figure:
    """Return the time that the start takes, relative to the reference commit's."""
    name = f"time from start to serving, relative to {REFERENCE}"
    with reference_tree() as old:
        if not old:
            return Figure(name, "unknown", "at most 1.0")
        pairs = [
            (start_time(ROOT, heap=heap, **options), reference_time(old, heap))
            for _ in range(rounds)
        ]
    ratio = statistics.median(new / before for new, before in pairs)
    return Figure(name, f"{ratio:.2f}", "at most 1.0", ratio <= 1.02)


def measure(
    heap: str | None, seconds: float, say: Callable[[str], None], is_romfs: bool = False
) -> list[Figure]:
    """Return all figures of the table. One that cannot be measured says why, and is missed.

    is_romfs: lib/ is in a ROMFS.
    """
    figures: list[Figure] = []
    options: dict = {"heap": heap}
    if is_romfs:
        arch = interpreter.native_arch()
        if not arch:
            raise Failure("ROMFS=1 needs an interpreter that runs native code")
        options["romfs"] = romfs.pack(romfs.library(arch))
    with certs.temporary() as keys:
        for name, work in (
            ("heap", lambda: firmware_heap(keys, say, **options)),
            ("names", lambda: names(keys, **options)),
            ("wss clients beside two plain ones", lambda: [tls_clients(keys, **options)]),
            ("garbage of an idle server", lambda: [idle_garbage(seconds, **options)]),
            ("time from start to serving", lambda: [start_ratio(**options)]),
        ):
            try:
                figures.extend(work())
            except (OSError, AssertionError, ValueError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                figures.append(Figure(name, f"failed: {lines[0][:60]}", "", False))
                say("\n".join(lines[-30:]))
    return figures


def show(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    verdict = {None: "", True: "reached", False: "missed"}
    rows = [[one.name, one.value, one.required, verdict[one.reached]] for one in figures]
    return table(["figure", "measured", "required", ""], rows)


def startup(heap: str | None) -> str:
    """Return what each import of the start takes, in bytes, in the order in which they end."""
    with (
        certs.temporary() as keys,
        ProbedBoard(config(), heap, certs=keys, show_imports=True) as board,
    ):
        board.wait_for_log("serving ", 30)
        log = board.log
    rows = []
    last = None
    pattern = (
        r"<import> (\d+) (\d+) (\d+) (\d+) (\S+)\s+"
        r"qstr pool: n_pool=(\d+), n_qstr=(\d+), n_str_data_bytes=(\d+)"
    )
    for depth, before, after, free, name, pools, names, _ in re.findall(pattern, log):
        taken = int(after) - int(before)
        since = "" if last is None else f"{int(after) - last:,}"
        last = int(after)
        rows.append(
            ["  " * int(depth) + name, f"{taken:,}", since, f"{int(free):,}", names, pools]
        )
    head = ["import", "bytes", "since the last line", "free then", "names", "pools of names"]
    return table(head, rows)
