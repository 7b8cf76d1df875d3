"""`make romfs`: lib/ as a read-only file system, from which MicroPython runs code in place.

`mpremote romfs deploy` writes it to a board whose firmware is built with MICROPY_VFS_ROM.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from tools import HOME, ROOT, output
from tools.board import table
from tools.board.target import Target
from tools.failure import Failure

from .build import build
from .files import firmware
from .mpycross import ARCHITECTURES

FOLDER = HOME / "build" / "romfs"
_LIBRARY = "/lib/"


def make(
    chip: str, to: Path | None, root: Path = ROOT, say: Callable[[str], None] = print
) -> Path:
    """Write the file system for a chip and return its path.

    chip: CHIP=, or mpy-cross's name of a CPU, such as "x64" for the virtual board.

    Raises Failure if the chip is not known, or a file does not compile.
    """
    if chip in ARCHITECTURES:
        arch, name = chip, chip
    else:
        board = table.find(chip, table.load())
        arch, name = board.arch, board.key
    data = pack(library(arch, root))
    target = to or FOLDER / f"{name}.romfs"
    output.write(target, data)
    say(f"{target}: {len(data) >> 10} KB, lib/ compiled for {arch}")
    file = output.quoted(target)
    say(f"write it: mpremote romfs deploy {file} (needs MICROPY_VFS_ROM: docs/install.md)")
    return target


def library(arch: str, root: Path = ROOT) -> dict[str, bytes]:
    """Return {path: content} of lib/, compiled for a CPU."""
    target = Target("", "", "", (6, 3), arch, "", 0, False, 0)
    sources = {path: file for path, file in firmware(root).items() if path.startswith(_LIBRARY)}

    def stop(problem: str) -> None:
        raise Failure(f"{problem}: a ROMFS with source would take as much memory as a file system")

    return build(sources, target, False, stop)


def pack(files: dict[str, bytes]) -> bytes:
    """Return a ROMFS image with these files, {path: content}."""
    writer = VfsRomWriter()
    folder: list[str] = []
    for path, content in sorted(files.items(), key=lambda item: item[0].split("/")):
        *parents, name = path.strip("/").split("/")
        common = 0
        while common < min(len(folder), len(parents)) and folder[common] == parents[common]:
            common += 1
        for _ in folder[common:]:
            writer.closedir()
        for parent in parents[common:]:
            writer.opendir(parent)
        folder = parents
        writer.mkfile(name, content)
    for _ in folder:
        writer.closedir()
    return writer.finalise()
