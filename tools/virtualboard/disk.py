"""A littlefs image as the virtual board's flash.

The image may be one of `make image`, with MicroPython in front, or the file system alone. Compiled
files with native code for a chip's CPU are exchanged for the same modules compiled for this one.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT
from tools.board import image, partitions, table
from tools.board.partitions import BLOCK
from tools.failure import Failure
from tools.settings import parse

from .interpreter import ARCHITECTURES, compile_mpy, native_arch

BLOCKS = 512  # of the file system of a board with 4 MB
_LITTLEFS = b"littlefs"  # bytes 8 to 15 of the first or second block
_CONFIG = "/config.json"
_LARGEST = 128 << 20  # bytes: no chip addresses more flash


@dataclass(frozen=True)
class Disk:
    """The files of a flash, {path: content}, and its size in blocks of 4096 bytes."""

    files: dict[str, bytes]
    blocks: int = BLOCKS


def read(file: Path, root: Path = ROOT) -> Disk:
    """Return the flash in an image, with native code for this computer.

    Raises Failure if it holds no file system, or native code of a module that `root` lacks.
    """
    from tools.deploy import filesystem  # with littlefs, which few boards need

    try:
        data = file.read_bytes()
    except OSError as error:
        raise Failure(f"image {file} cannot be read: {error.strerror}") from None
    try:
        content, blocks = _file_system(data)
        files = filesystem.unpack(content, blocks)
    except Failure as failure:
        raise Failure(f"{file} {failure}") from None
    return Disk({path: _local(path, data, root) for path, data in files.items()}, blocks)


def write(disk: Disk, path: Path) -> None:
    """Write the whole flash to a file."""
    from tools.deploy import filesystem

    size = disk.blocks * BLOCK
    path.write_bytes(filesystem.pack(disk.files, disk.blocks).ljust(size, b"\xff"))


def contents(data: bytes, blocks: int) -> dict[str, bytes]:
    """Return the files of a flash, {path: content}."""
    from tools.deploy import filesystem

    return filesystem.unpack(data, blocks)


def networks(disk: Disk) -> dict:
    """Return an "air" with the networks that the settings name, so that a board can join them."""
    try:
        settings = parse(disk.files[_CONFIG])
        wifi = settings.get("wifi", {})
        known = [(wifi.get("station_ssid"), wifi.get("station_password", ""))]
        for entry in settings.get("network", {}).get("wifi", []):
            known.append((entry.get("ssid"), entry.get("password", "")))
        return {name: {"password": password} for name, password in known if name}
    except (KeyError, ValueError, AttributeError, TypeError):
        return {}


def _file_system(data: bytes) -> tuple[bytes, int]:
    """Return (the file system, its number of blocks)."""
    if _LITTLEFS in data[:64] or _LITTLEFS in data[BLOCK:][:64]:
        return data, max(BLOCKS, len(data) // BLOCK)
    chip = image.chip_of(data)
    offset = next(board.offset for board in table.load() if board.chip == chip)
    partition = partitions.file_system(partitions.read(data, offset), _LARGEST)
    if len(data) <= partition.offset - offset:
        raise Failure("holds MicroPython only, and no file system: make image CHIP=... makes one")
    return data[partition.offset - offset :], partition.size // BLOCK


def _local(path: str, data: bytes, root: Path) -> bytes:
    """Return a file, or the same module compiled for this computer if it has foreign code."""
    number = data[2] >> 2 & 15 if path.endswith(".mpy") and data[:1] == b"M" else 0
    if not number or ARCHITECTURES[number : number + 1] == (native_arch(),):
        return data
    source = (root / path[1:]).with_suffix(".py")
    if not source.is_file():
        raise Failure(f"has native code for a chip in {path}, and there is no {source}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "module.mpy")
        compile_mpy(source, target, path)
        return target.read_bytes()
