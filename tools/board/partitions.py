"""Read an image's partition table, and add the file system's partition to it.

Format: Espressif, "Partition Tables" (ESP-IDF's documentation). MicroPython 1.27 and later publish
images without a partition for the file system: the firmware takes the flash behind the
application. An entry in the table has priority. With it, an image suits larger flash chips, too.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from tools.failure import Failure

BLOCK = 4096  # bytes: what the flash erases at once
TABLE = 0x8000  # address of the table in the flash
_SIZE = 0xC00  # bytes
_ENTRY = struct.Struct("<2sBBII16sI")  # magic, type, subtype, offset, size, label, flags
_MAGIC = b"\xaa\x50"
_MD5 = b"\xeb\xeb" + b"\xff" * 14
_APPLICATION, _DATA = 0, 1
_FAT = 0x81  # the subtype that MicroPython gives its partition, whatever its file system is
NAME = "vfs"  # the label that MicroPython looks for

_SMALLEST = 4 << 20  # bytes: no board of firmware/boards.toml has less flash


@dataclass(frozen=True)
class Partition:
    """One entry. offset and size are in bytes."""

    label: str
    kind: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Return the address behind it."""
        return self.offset + self.size


def read(image: bytes, offset: int) -> list[Partition]:
    """Return the partitions of an image that is flashed at `offset`.

    Raises Failure if it has no partition table.
    """
    table = image[TABLE - offset :][:_SIZE]
    found = []
    for at in range(0, len(table), _ENTRY.size):
        magic, kind, subtype, start, size, label, _ = _ENTRY.unpack(table[at : at + _ENTRY.size])
        if magic != _MAGIC:
            break
        name = label.rstrip(b"\0").decode(errors="replace")
        found.append(Partition(name, kind, subtype, start, size))
    if not found:
        raise Failure("has no partition table")
    return found


def file_system(partitions: list[Partition], flash: int) -> Partition:
    """Return the partition of MicroPython's file system on a flash of `flash` bytes.

    Without an entry, it is what MicroPython takes: the flash behind the last partition.

    Raises Failure if the flash has no space for it.
    """
    listed = next((part for part in partitions if part.label == NAME), None)
    start = max(part.end for part in partitions)
    chosen = listed or Partition(NAME, _DATA, _FAT, start, flash - start)
    if chosen.size < 1 or chosen.end > flash:
        raise Failure(
            f"needs more flash than {flash >> 20} MB: the file system begins at {chosen.offset:#x}"
        )
    return chosen


def least_flash(partitions: list[Partition]) -> int:
    """Return the bytes of the smallest flash that a table is for.

    A table that lists the file system is for its size. Without one it fits every flash.
    """
    return max(_SMALLEST, *(part.end for part in partitions if part.label == NAME), 0)


def with_file_system(image: bytes, offset: int, partition: Partition) -> bytes:
    """Return the image with an entry for the partition, if its table has none."""
    listed = read(image, offset)
    if any(part.label == partition.label for part in listed):
        return image
    start = TABLE - offset
    entries = image[start : start + len(listed) * _ENTRY.size]
    label = partition.label.encode()
    entries += _ENTRY.pack(
        _MAGIC, partition.kind, partition.subtype, partition.offset, partition.size, label, 0
    )
    table = (entries + _MD5 + hashlib.md5(entries).digest()).ljust(_SIZE, b"\xff")
    return image[:start] + table + image[start + _SIZE :]
