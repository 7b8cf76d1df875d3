"""`make romfs`, and frozen modules: code that is not copied into the heap."""

import os
import subprocess
import sys

import pytest
import websocket

from tools import ROOT
from tools.deploy import romfs
from tools.deploy.mpycross import compile_file
from tools.failure import Failure
from tools.virtualboard.interpreter import find_micropython, native_arch


@pytest.fixture(scope="module")
def image():
    """A ROMFS with lib/ for the virtual board's CPU. Skips if the interpreter cannot mount it."""
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
    command = [sys.executable, "-m", "tools", "romfs", "--chip", "esp32", "--to", tmp_path / "x"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "mpremote romfs deploy" in done.stdout
