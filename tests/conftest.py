"""The boards that the tests talk to: virtual ones by default, a real one with --board ADDRESS."""

from __future__ import annotations

import gc
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.certs import cli
from tools.failure import Failure
from tools.virtualboard import VirtualBoard, chipheap, chips
from tools.virtualboard.board import DEFAULT_HEAP, heap_bytes
from tools.virtualboard.flash import can_compile, fill
from tools.virtualboard.interpreter import (
    WORDS,
    NoInterpreterError,
    find_micropython,
    interpreter,
    select_interpreter,
)

ROOT = Path(__file__).resolve().parents[1]


class Form(NamedTuple):
    """A form of lib/ that a virtual board can load.

    options: VirtualBoard's arguments for it. suffix: of its files. compiling: bytes of heap that
    loading them takes for a moment, beyond what compiled ones do; afterwards all take the same.
    """

    options: dict
    suffix: str = ".mpy"
    compiling: int = 0

    def heap(self, size: str | None) -> str | None:
        """Return the heap that a board needs to do what one with `size` does with compiled files.

        None is the default of a board: that of a chip, or 192k with 64 bits.
        """
        if not self.compiling or size == "chip":
            return size
        return str(heap_bytes(size or DEFAULT_HEAP) + self.compiling)


FORMS = {
    "native": Form({}),
    "bytecode": Form({"native": False}),
    "source": Form({"source": True}, ".py", 32 * 1024),
}


def pytest_addoption(parser):
    parser.addoption(
        "--board", metavar="ADDRESS[:PORT]", help="test a real board instead of virtual ones"
    )
    parser.addoption(
        "--lib",
        choices=FORMS,
        default="native",
        help="what the virtual boards run: lib/ compiled for this CPU, or to bytecode alone, or "
        "from source",
    )
    parser.addoption(
        "--word",
        choices=[str(word) for word in WORDS],
        help="the size of the virtual boards' words, in bits; MICROPYTHON=/path in the "
        "environment names another interpreter",
    )

    parser.addoption(
        "--chip", default="", help="the chip whose limits and names the virtual boards have"
    )


def pytest_configure(config):
    """Choose the interpreter, here and in what the tests start; fetch it before workers do."""
    # A shell ignores Ctrl-C for what it starts in the background, and so would what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Owners(), "owners")
    # Nothing of what is collected is garbage, and looking for it takes two fifths of the time.
    gc.disable()
    select_interpreter(config.getoption("--word"))
    if config.getoption("--chip"):
        os.environ[chips.VARIABLE] = config.getoption("--chip")
        try:
            chips.choose("")
        except Failure as failure:
            raise pytest.UsageError(str(failure)) from None
    if not config.getoption("--board"):
        try:
            interpreter()
        except NoInterpreterError as error:
            raise pytest.UsageError(str(error)) from None
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        _compile_tests()


def _compile_tests():
    """Compile the files of tests in a fresh clone.

    All workers would, at the same time, which takes half a minute of CPU time.
    """
    compiled = (ROOT / "tests").glob("*/__pycache__/test_*.pyc")
    if not sys.dont_write_bytecode and not any(compiled):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-qqq", "-n0"]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


# The files that take longest, with the longest first: a worker that began one of them at the end
# of a run would work on it when all others are done. The Makefile keeps this order for xdist.
LONGEST = (
    *("admin/test_update.py", "browser/test_update_page.py", "tools/virtualboard/test_board.py"),
    *("tools/deploy/test_usb.py", "browser/test_page.py", "browser/test_settings_page.py"),
    *("failsafe/test_safety.py", "tools/test_interrupted.py", "wsserver/test_rate_limit.py"),
    *("panel/test_panel.py", "browser/test_outcome.py", "fleet/test_mqtt.py"),
    *("panel/test_memory.py", "admin/test_settings.py", "tools/deploy/test_in_place.py"),
    *("admin/test_update_application.py", "fleet/test_compose.py", "fleet/test_outages.py"),
    *("startup/test_boot.py", "tools/release/test_site.py", "tools/board/test_flash.py"),
    *("fleet/test_gateway.py", "demo/test_stats.py", "admin/test_bootbutton.py"),
    *("wsserver/test_tls.py", "admin/test_join.py", "tools/bench/test_bench.py"),
    *("tools/lint/test_lint.py", "wifi/test_wifi.py", "wsserver/test_memory.py"),
    *("tools/test_windows.py", "fleet/test_tls.py", "wifi/test_network.py"),
    *("startup/test_application.py", "admin/test_files.py", "wsserver/core/test_loops.py"),
    *("demo/test_chat.py", "tools/deploy/test_image.py", "fleet/test_bridge.py"),
    *("browser/test_widgets.py", "tools/release/test_wheel.py"),
    *("wsserver/http/test_keepalive.py", "docs/test_cookbook.py"),
    *("tools/virtualboard/test_stand_ins.py", "config/test_settings.py"),
    *("tools/deploy/test_application.py", "admin/test_maintenance_tls.py"),
    *("browser/test_join_page.py", "certificates/test_context.py", "wsserver/test_slots.py"),
    *("fleet/test_cluster.py", "wsserver/test_application_errors.py"),
    *("wsserver/test_refusal_log.py", "wsserver/core/test_protocol.py", "faults/test_slow.py"),
    *("tools/board/test_serial.py", "tools/virtualboard/test_heap.py", "docs/test_site.py"),
    *("tools/release/test_release.py", "tools/certs/test_certs.py"),
    *("wsserver/test_file_contents.py", "browser/test_skipping.py"),
    *("tools/deploy/test_package.py", "admin/test_livelog.py"),
)
RANKS = {ROOT / "tests" / name: rank for rank, name in enumerate(LONGEST)}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Begin with the longest files, and skip tests that need more than the chip of --chip has."""
    items.sort(key=lambda item: RANKS.get(item.path, len(RANKS)))
    if not config.getoption("--chip"):
        return
    row = chips.choose("")
    has = {"sockets": row.sockets, "wifi": row.wifi, "rmii": chips.describe(row)["rmii"]}
    for item in items:
        for mark in item.iter_markers("needs"):
            lacking = [name for name, least in mark.kwargs.items() if has[name] < least]
            if lacking:
                text = f"an {row.name} has too few {', '.join(lacking)}"
                item.add_marker(pytest.mark.skip(reason=text))


NO_BROWSER = "there is no browser"  # begins the reason of each test that is skipped for that
INSTALL_BROWSER = (
    "these tests need Chromium on the PATH: install it with 'apt install chromium', "
    "'dnf install chromium' or 'brew install chromium'"
)


def pytest_terminal_summary(terminalreporter):
    """Print one line for all tests that need a browser where there is none."""
    for report in terminalreporter.stats.get("skipped", ()):
        if isinstance(report.longrepr, tuple) and NO_BROWSER in report.longrepr[2]:
            report.longrepr = ("tests/browser", None, INSTALL_BROWSER)


def pytest_report_header(config):
    if config.getoption("--board"):
        return None
    found = interpreter()
    return f"virtual boards: {found.word} bits, {found.version}; lib/: {config.getoption('--lib')}"


@pytest.fixture(scope="session")
def lib_form(request):
    """The form of lib/ that the boards have. It is source where nothing can be compiled."""
    return FORMS[request.config.getoption("--lib") if can_compile() else "source"]


@pytest.fixture(scope="session")
def lib(lib_form, tmp_path_factory):
    """A folder with lib/ as the boards have it, for a MicroPython without a board; read only."""
    flash = tmp_path_factory.mktemp("flash")
    fill(flash, ROOT, **lib_form.options)
    return flash / "lib"


@pytest.fixture
def compiled(lib_form):
    """For tests of what a heap is too small for that takes less than compiling lib/ at each start
    does: skips from source.
    """
    if lib_form.compiling:
        pytest.skip("to compile lib/, which is source, a board needs more heap than this is about")


def need_chip_heap():
    """Skip the test if no board can have the two heaps of a chip (HEAP=chip)."""
    if chipheap.build_of(Path(interpreter().command[-1])) is None:
        pytest.skip("only the interpreter of WORD=32 can grow its heap as a chip does")


@pytest.fixture(scope="session")
def virtual_only(request):
    """For tests of virtual boards that `make_board` does not make: skips for a real board."""
    if request.config.getoption("--board"):
        pytest.skip("needs a virtual board of its own, and the tests are for a real one")


class RealBoard:
    """A board somewhere on the network, which runs the project's firmware. It cannot be looked
    into.
    """

    def __init__(self, address: str):
        self.address, _, port = address.partition(":")
        self.http_port = int(port or 80)

    @property
    def http_url(self) -> str:
        return f"http://{self.address}:{self.http_port}/"

    def ws_url(self, path: str = "/ws") -> str:
        return f"ws://{self.address}:{self.http_port}{path}"


@pytest.fixture(scope="session")
def board(request, lib_form):
    """The board that most tests share: it runs the firmware as it is, but without broadcasts of
    its own accord.

    A real board has to be told the same by its config.json; where it is not, tests that would be
    disturbed say so.
    """
    address = request.config.getoption("--board")
    if address:
        yield RealBoard(address)
    else:
        config, heap = {"broadcast": {"interval": 0}}, lib_form.heap(None)
        with VirtualBoard(config=config, heap=heap, **lib_form.options) as virtual:
            virtual.wait_ready()
            yield virtual


class Owners:
    """Whose boards are made now: the test, and the fixtures that are being set up for it.

    A plugin of its own, because hooks of this file are not called for fixtures of the session.
    """

    def __init__(self):
        self._stack = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._stack[:] = [item]
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, request):
        self._stack.append(request)
        try:
            return (yield)
        finally:
            self._stack.pop()

    def add_finalizer(self, function, owner=None):
        """Call a function at the end of `owner`, or of the test or fixture at the top."""
        (owner or self._stack[-1]).addfinalizer(function)


@pytest.fixture(scope="session")
def make_board(request, lib_form):
    """make_board(config=..., heap=..., files=...) -> a virtual board of one's own.

    It runs to the end of the test that makes it, or as long as the fixture that makes it, or the
    one whose request is `owner`. wait=False: do not wait until it serves. heap: what it has with
    compiled files, to which comes what the form of lib/ takes (see Form); just that where a test
    chooses the form itself. Skips where the tests are for a real board.
    """
    address = request.config.getoption("--board")
    owners = request.config.pluginmanager.get_plugin("owners")

    def make(wait=True, heap=None, owner=None, **arguments):
        if address:
            pytest.skip("needs a virtual board of its own, and the tests are for a real one")
        if not arguments.keys() & {"source", "native"}:
            arguments = {**arguments, **lib_form.options}
            heap = lib_form.heap(heap)
        board = VirtualBoard(heap=heap, **arguments)
        owners.add_finalizer(board.stop, owner)
        board.start()
        if wait:
            board.wait_ready()
        return board

    return make


# By the size of words. A chip whose heap has grown has more (docs/tls.md).
SMALL_HEAP = {32: "88k", 64: "120k"}
TOO_SMALL_HEAP = {32: "44k", 64: "64k"}


@pytest.fixture(scope="session")
def small_heap(word):
    """A heap in which the firmware just serves pages and five clients, without the demo."""
    return SMALL_HEAP[word]


@pytest.fixture(scope="session")
def too_small_heap(word):
    """A heap in which the firmware cannot start."""
    return TOO_SMALL_HEAP[word]


@pytest.fixture(scope="session")
def word():
    """The size of the boards' words, in bits."""
    return interpreter().word


@pytest.fixture(scope="session")
def newest_tls():
    """The newest version of TLS that the interpreter's Mbed TLS supports."""
    program = "import tls; print(tls.SSLContext(tls.PROTOCOL_TLS_SERVER).get_ciphers())"
    command = [*find_micropython(), "-c", program]
    return "TLSv1.3" if "TLS1-3-" in subprocess.check_output(command, text=True) else "TLSv1.2"


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """A folder that `make certs` has filled, to be read only."""
    folder = tmp_path_factory.mktemp("authority") / "certs"
    assert cli.main(["--folder", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def trust(certs):
    """A client's SSLContext that trusts the authority of `certs`, and nobody else."""
    return ssl.create_default_context(cafile=certs / "ca.pem")
