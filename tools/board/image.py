"""Check a firmware image: its chip, its parts, its checksums.

`make flash` takes the images that MicroPython publishes for a chip: the boot loader's image, the
partition table 0x8000 from the flash's beginning, and the application's image at 0x10000. Format:
Espressif, "Firmware Image Format" (esptool's documentation); "Partition Tables" (ESP-IDF's).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tools.failure import Failure

from .table import Board

MAGIC = 0xE9
# Bytes 12 and 13 of the header: esptool's IMAGE_CHIP_ID.
CHIP_IDS = {
    0: "esp32",
    2: "esp32s2",
    5: "esp32c3",
    9: "esp32s3",
    12: "esp32c2",
    13: "esp32c6",
    16: "esp32h2",
    18: "esp32p4",
    23: "esp32c5",
}
_HEADER = 24  # bytes; the last one says whether a SHA-256 follows the image
_TABLE = 0x8000  # where the partition table is in the flash
_TABLE_MAGIC = b"\xaa\x50"
_TABLE_MD5 = b"\xeb\xeb"
_APPLICATION = 0x10000  # where MicroPython has the application


def chip_of(data: bytes) -> str:
    """Return esptool's name of an image's chip. Raises Failure if it is no image."""
    if len(data) < _HEADER or data[0] != MAGIC:
        raise Failure("is not an ESP32 firmware image: it does not begin with 0xE9")
    number = int.from_bytes(data[12:14], "little")
    if number not in CHIP_IDS:
        raise Failure(f"is not for a chip known here: its number is {number}")
    return CHIP_IDS[number]


def check(path: Path, board: Board, chip: str) -> bytes:
    """Return the content of an image for a board whose chip is `chip`.

    Raises Failure if it cannot be read, is for another chip, is incomplete, or is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failure(f"FIRMWARE={path} cannot be read: {error.strerror}") from None
    try:
        found = chip_of(data)
        if found != chip:
            raise Failure(
                f"is for the {found}, but the chip is an {chip}: use the image {board.build}"
            )
        _check_parts(data, board.offset)
    except Failure as failure:
        raise Failure(f"{path} {failure}; nothing was written") from None
    return data


def _check_parts(data: bytes, offset: int) -> None:
    table = data[_TABLE - offset :][:0xC00]
    if not table.startswith(_TABLE_MAGIC):
        raise Failure(
            "is not a complete firmware for the flash's beginning: it has no partition table "
            f"at {_TABLE - offset:#x}; take the .bin for a first installation, not an .app-bin"
        )
    _check_image(data, 0, "the boot loader")
    _check_table(table)
    _check_image(data, _APPLICATION - offset, "the application")


def _check_image(data: bytes, start: int, what: str) -> None:
    """Compare the checksum and the SHA-256 that follow an image's segments with its content."""
    damaged = Failure(f"is damaged or cut off ({what}): download it again")
    if len(data) < start + _HEADER or data[start] != MAGIC:
        raise damaged
    end, checksum = start + _HEADER, 0xEF
    for _ in range(data[start + 1]):
        size = int.from_bytes(data[end + 4 : end + 8], "little")
        segment = data[end + 8 : end + 8 + size]
        if len(segment) < size:
            raise damaged
        checksum ^= _xor(segment)
        end += 8 + size
    end = start + (end - start + 16) // 16 * 16  # the checksum is the last byte of a 16-byte row
    if len(data) < end or data[end - 1] != checksum:
        raise damaged
    if (
        data[start + _HEADER - 1]
        and hashlib.sha256(data[start:end]).digest() != data[end : end + 32]
    ):
        raise damaged


def _xor(data: bytes) -> int:
    """Return the exclusive or of all bytes, by folding one large number in halves."""
    number, size = int.from_bytes(data, "little"), len(data)
    while size > 1:
        size = (size + 1) // 2
        number = (number >> 8 * size) ^ (number & (1 << 8 * size) - 1)
    return number


def _check_table(table: bytes) -> None:
    """Compare the MD5 that closes a partition table with its entries."""
    for at in range(0, len(table), 32):
        if table[at : at + 2] == _TABLE_MD5:
            if hashlib.md5(table[:at]).digest() != table[at + 16 : at + 32]:
                raise Failure("is damaged (the partition table): download it again")
            return
        if table[at : at + 2] != _TABLE_MAGIC:
            return  # a table without an MD5
