"""`make image`: one file with MicroPython and everything that a board needs.

The file is written to an erased chip in one step: boot loader, partition table, MicroPython, and a
littlefs file system with the compiled firmware. No ESP-IDF is needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from tools import HOME, ROOT, output
from tools.board import download, image, partitions, table
from tools.board.partitions import Partition
from tools.board.table import Board
from tools.board.target import Target
from tools.failure import Failure, spelled, warn

from . import application, filesystem, modules, userfiles
from .build import build
from .files import firmware
from .plan import RECORD

FOLDER = HOME / "build" / "image"
_VERSION = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)[^ ]* on \d{4}-")
_MEGABYTE = 1 << 20
_NEW_MPY = (1, 23)  # loads .mpy files of version 6.3; earlier ones load 6.2


@dataclass(frozen=True)
class Options:
    """What goes into an image.

    chip: CHIP=, a row or chip of boards.toml. firmware: MicroPython's image, or None for the
    newest. app: an application, a file or a folder. config: a config.json. certs: add the
    certificates of certs/. source: do not compile lib/. flash: the size of the board's flash in
    MB, 0 for the smallest that MicroPython's image is for. to: the file to write. boot: start a
    virtual board from the file system.
    """

    chip: str
    firmware: Path | None = None
    app: Path | None = None
    config: Path | None = None
    certs: bool = False
    source: bool = False
    flash: int = 0
    to: Path | None = None
    boot: bool = True
    root: Path = ROOT


@dataclass(frozen=True)
class Image:
    """A finished image: what is written at `board.offset`.

    name: of MicroPython's image. version: of MicroPython. partition: the file system's. files:
    {path on the board: content}.
    """

    board: Board
    name: str
    version: str
    partition: Partition
    files: dict[str, bytes]
    data: bytes


def make(options: Options) -> Path:
    """Write the image for a chip, check it, and return its path. Raises Failure."""
    board = table.find(options.chip, table.load())
    made = assemble(board, options.firmware or download.newest(board), options)
    target = options.to or FOLDER / f"{board.key}.bin"
    output.write(target, made.data, lambda file: verify(file, made))
    print(f"{target}: {len(made.data) >> 10} KB for {board.name}, MicroPython {made.version}")
    start, end = made.partition.offset, made.partition.end
    print(f"{len(made.files)} files at {start:#x} to {end:#x}, mounted and compared")
    if options.boot:
        boot(target, options.root)
    file = output.quoted(target)
    print(spelled(f"write it: make flash CHIP={board.key} FIRMWARE={file}"))
    print(f"or, to an erased chip: esptool write-flash {board.offset:#x} {file}")
    return target


def assemble(board: Board, stock: Path, options: Options) -> Image:
    """Return the image that consists of MicroPython's own image and the files of the project.

    Raises Failure if MicroPython's image is not for this board, or if something does not fit.
    """
    base = image.check(stock, board, board.chip)
    version = version_of(base, stock)
    _check_version(version, board, stock)
    try:
        listed = partitions.read(base, board.offset)
        flash = options.flash * _MEGABYTE or partitions.least_flash(listed)
        partition = partitions.file_system(listed, flash)
    except Failure as failure:
        raise Failure(f"{stock} {failure}") from None
    if board.offset + len(base) > partition.offset:
        raise Failure(f"{stock} is too long: its file system begins at {partition.offset:#x}")
    files = _files(board, version, options)
    data = filesystem.pack(files, partition.size // partitions.BLOCK)
    base = partitions.with_file_system(base, board.offset, partition)
    return Image(
        board=board,
        name=stock.name,
        version=".".join(map(str, version)),
        partition=partition,
        files=files,
        data=base.ljust(partition.offset - board.offset, b"\xff") + data,
    )


def version_of(data: bytes, stock: Path) -> tuple[int, int, int]:
    """Return the version of MicroPython in an image. Raises Failure if it holds none."""
    found = _VERSION.search(data)
    if not found:
        raise Failure(f"{stock} is not MicroPython: it names no version")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def _check_version(version: tuple[int, int, int], board: Board, stock: Path) -> None:
    if version < tuple(int(part) for part in board.least.split(".")):
        found = ".".join(map(str, version))
        raise Failure(f"{stock} is MicroPython {found}; {board.name} needs {board.least} or newer")


def _files(board: Board, version: tuple[int, int, int], options: Options) -> dict[str, bytes]:
    """Return {path on the board: content} of all files."""
    target = Target(
        version=".".join(map(str, version)),
        machine=board.name,
        chip=board.chip,
        mpy_version=(6, 3) if version >= _NEW_MPY else (6, 2),
        arch=board.native_arch(version),
        mac="",
        flash=0,
        psram=board.psram,
        free=0,
    )
    sources = firmware(options.root)
    if options.app:
        app = application.find(options.app, options.root)
        modules.check(app, options.root)
        sources.update(app.files)
    files = build(sources, target, options.source, warn)
    files[RECORD] = json.dumps(sorted(files)).encode()  # later deployments remove only these
    return {**files, **userfiles.requested(options.config, options.certs, options.root)}


def verify(file: Path, made: Image) -> None:
    """Read an image from its file: check its parts, mount its file system, compare every file.

    Raises Failure if anything differs.
    """
    data = image.check(file, made.board, made.board.chip)
    listed = partitions.read(data, made.board.offset)
    if made.partition not in listed:
        raise Failure(f"{file}: the partition table does not list the file system")
    content = data[made.partition.offset - made.board.offset :]
    found = filesystem.unpack(content, made.partition.size // partitions.BLOCK)
    different = sorted(
        path for path in {*found, *made.files} if found.get(path) != made.files.get(path)
    )
    if different:
        raise Failure(f"{file}: damaged in the file system: {', '.join(different)}")


def boot(file: Path, root: Path = ROOT, seconds: float = 60) -> None:
    """Start a virtual board from an image's file system and wait until it serves.

    Windows, and machines without an interpreter, get a warning. Raises Failure if the board does
    not serve.
    """
    try:
        from tools.virtualboard import VirtualBoard, disk
        from tools.virtualboard.interpreter import NoInterpreterError, interpreter

        interpreter()
    except ImportError as error:  # Windows has no pseudo terminals
        warn(f"the image was not started: the virtual board cannot run here ({error})")
        return
    except NoInterpreterError as error:
        warn(f"the image was not started: {error}")
        return
    source = disk.read(file, root)
    with VirtualBoard(image=source, air={"networks": disk.networks(source)}) as board:
        try:
            board.wait_ready(seconds)
        except AssertionError as error:
            raise Failure(f"{file} does not start on the virtual board: {error}") from None
    print("a virtual board started from it and served")


class Complete:
    """Makes the image for a chip that `make flash` has detected. See board.flash.Complete."""

    def __init__(self, options: Options):
        self._options = options

    def make(self, board: Board, stock: Path, flash: int, folder: Path) -> Path:
        """Write the image for a chip with `flash` MB, 0 if unknown, and return its path."""
        options = replace(self._options, flash=flash or self._options.flash)
        made = assemble(board, stock, options)
        target = folder / f"{board.key}.bin"
        target.write_bytes(made.data)
        verify(target, made)
        print(f"{len(made.files)} files in a file system at {made.partition.offset:#x}")
        return target

    def start(self, port: str, wait: float) -> None:
        """Restart the board and print its output until it serves."""
        from .usb import UsbTransport

        with UsbTransport(port) as board:
            board.start(wait, print)
