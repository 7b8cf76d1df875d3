"""`make romfs`, and frozen modules: code that is not copied into the heap."""

import contextlib
import os
import subprocess

import pytest
import websocket

from tests.conftest import need_chip_heap
from tests.tools import commands
from tools import ROOT
from tools.deploy import romfs
from tools.deploy.mpycross import compile_file
from tools.failure import Failure
from tools.virtualboard.interpreter import find_micropython, interpreter, native_arch


@pytest.fixture(scope="module")
def image():
    """A ROMFS with lib/ for the virtual board's CPU. Skips if the interpreter cannot mount it."""
    if interpreter().is_frozen:
        pytest.skip("frozen modules precede those of a ROMFS")
    command = [*find_micropython(), "-c", "import vfs; vfs.VfsRom"]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this interpreter has no vfs.VfsRom")
    return romfs.pack(romfs.library(native_arch()))


FREE = "import gc\ngc.collect()\nprint(gc.mem_free())"


def test_a_board_serves_from_a_romfs_with_less_memory(image, make_board):
    free = {}
    for kind, options in (("file system", {}), ("romfs", {"romfs": image})):
        board = make_board(heap="256k", **options)
        client = websocket.create_connection(board.ws_url(), timeout=10)
        client.send("hello")
        assert client.recv() == "hello"
        client.close()
        assert ("lib" in board.exec("import os; print(os.listdir('/'))")) == (kind != "romfs")
        free[kind] = int(board.exec(FREE))
    saved = free["romfs"] - free["file system"]
    print(f"saved {saved} bytes")
    assert saved > 10_000, free


def serve_with_tls(make_board, certs, **options):
    """Start a board with a chip's memory and a certificate."""
    need_chip_heap()
    config = {"tls": {"reserved": 0}, "broadcast": {"interval": 0}}
    board = make_board(config=config, certs=certs, heap="chip", **options)
    board.wait_for_log(" and (ws|http)s://", 20)
    return board


def connect(url, certs=None):
    options = {"sslopt": {"ca_certs": str(certs / "ca.pem")}} if certs else {}
    return websocket.create_connection(url, timeout=20, **options)


def count_tls_clients(board, certs):
    """Return how many wss clients echo a message beside two plain ones and the demo."""
    clients = [connect(board.ws_url()) for _ in range(2)]
    with contextlib.suppress(OSError, websocket.WebSocketException):
        for _ in range(4):
            clients.append(connect(f"wss://127.0.0.1:{board.https_port}/ws", certs))
            clients[-1].send("x" * 4000)
            assert clients[-1].recv() == "x" * 4000
    for client in clients:
        client.close()
    return len(clients) - 2


def demo_greets(board):
    """Return whether /demo is open: its first message welcomes a client."""
    demo = connect(board.ws_url("/demo"))
    try:
        return "welcome" in demo.recv()
    finally:
        demo.close()


def test_from_a_romfs_three_tls_clients_fit_on_a_chip(image, make_board, certs):
    board = serve_with_tls(make_board, certs, romfs=image)
    assert count_tls_clients(board, certs) == 3
    assert demo_greets(board)
    assert board.heap.grown == 1 and board.heap.pool > 71_000
    assert "tls.max_clients: using" not in board.log


KEEP = """
kept = []

class Echo:
    def on_message(self, client, message):
        client.send(message)

def setup(board):
    board.server.websocket("/ws", Echo())
    for _ in range(5):
        kept.append(bytearray(4000))
"""


def test_an_application_that_fills_the_heap_leaves_two_tls_clients(image, make_board, certs):
    """Serving would make the heap grow later, by the memory of all TLS connections."""
    board = serve_with_tls(make_board, certs, romfs=image, files={"app/app.py": KEEP})
    assert "the application leaves memory for 2 TLS connections" in board.log
    assert board.heap.grown == 2
    assert board.heap.pool > 23_800 - 6_300  # and the spare session has as much
    assert count_tls_clients(board, certs) == 2


def test_frozen_modules_leave_the_heap_as_it_is_and_three_tls_clients(make_board, certs):
    if not interpreter().is_frozen:
        pytest.skip("the firmware is not frozen into this interpreter (docs/virtual-board.md)")
    board = serve_with_tls(make_board, certs)
    assert count_tls_clients(board, certs) == 3
    assert demo_greets(board)
    assert board.heap.grown == 0


FIND = """
from wsserver import lazy
def level(file):
    return lazy.call("wsserver.inplace", "level", file)
print(level("/lib/startup.mpy"), level("/rom/lib/startup.mpy"), level("startup.py"))
need = lazy.load("wsserver.inplace").need
print(need(8000, "/rom/lib/x.mpy") * 2, need(8000, "x.py") * 4, need(8000, "/lib/x.mpy"))
"""


def test_code_in_place_counts_for_less_of_the_heap(make_board):
    board = make_board(files={"boot.py": "", "main.py": ""}, wait=False)
    levels, needs = board.exec(FIND).splitlines()
    assert levels == "0 1 2"
    assert len(set(needs.split())) == 1


def test_a_romfs_holds_every_module_compiled_for_the_chip(tmp_path):
    target = romfs.make("c3", tmp_path / "c3.romfs")
    data = target.read_bytes()
    assert data.startswith(romfs.VfsRomWriter.ROMFS_HEADER)
    assert b"startup.mpy" in data
    names = {path.stem for path in (ROOT / "lib").rglob("*.py")}
    assert [name for name in names if name.encode() not in data] == []


def test_an_unknown_chip_has_no_romfs(tmp_path):
    with pytest.raises(Failure, match="CHIP=esp99 is not known"):
        romfs.make("esp99", tmp_path / "x")


class Manifest:
    """The functions that MicroPython's build defines for a manifest (tools/manifestfile.py)."""

    def __init__(self):
        self.included = []
        self.files = {}

    def include(self, path, **_):
        self.included.append(path)

    def module(self, name, base_path="."):
        path = ROOT / "firmware" / base_path / name
        self.files[name] = path.resolve(strict=True)

    def package(self, name, base_path="."):
        folder = (ROOT / "firmware" / base_path).resolve(strict=True)
        for path in sorted((folder / name).rglob("*.py")):
            self.files[path.relative_to(folder).as_posix()] = path


@pytest.fixture(scope="module")
def manifest():
    found = Manifest()
    names = {"include": found.include, "module": found.module, "package": found.package}
    here = os.getcwd()
    os.chdir(ROOT / "firmware")  # as MicroPython's build does
    try:
        exec((ROOT / "firmware" / "manifest.py").read_text(), names)
    finally:
        os.chdir(here)
    return found


def test_the_manifest_freezes_every_module_and_those_of_the_port(manifest):
    wanted = {path.relative_to(ROOT / "lib").as_posix() for path in (ROOT / "lib").rglob("*.py")}
    assert set(manifest.files) == wanted
    assert manifest.included == ["$(PORT_DIR)/boards/manifest.py"]


def test_every_module_of_the_manifest_compiles_for_freezing(manifest, tmp_path):
    """MicroPython's build gives mpy-cross the CPU of the board, for every module."""
    for name, path in manifest.files.items():
        for arch in ("xtensawin", "rv32imc"):
            compile_file(path, tmp_path / "module.mpy", f"-march={arch}", "-s", name)


def test_make_romfs_prints_how_to_write_the_image(tmp_path):
    status, output, errors = commands.run("romfs", "--chip", "esp32", "--to", tmp_path / "x")
    assert status == 0, errors
    assert "mpremote romfs deploy" in output
