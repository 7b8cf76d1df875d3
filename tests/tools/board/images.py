"""Small firmware images, as whole and as well-formed as MicroPython's."""

import hashlib

CHIP_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c2": 12, "esp32c6": 13}
CHIP_IDS |= {"esp32h2": 16, "esp32p4": 18, "esp32c5": 23}
VERSION = "1.25.0"


def part(chip, content):
    """One image: header, a segment, checksum, SHA-256."""
    header = bytearray(24)
    header[0:4] = bytes([0xE9, 1, 0, 0x20])
    header[12:14] = CHIP_IDS[chip].to_bytes(2, "little")
    header[17:19] = b"\xff\xff"  # for every revision of the chip
    header[23] = 1
    content += bytes(-len(content) % 4)
    data = bytes(header) + (0x3FFF0000).to_bytes(4, "little")
    data += len(content).to_bytes(4, "little") + content
    checksum = 0xEF
    for byte in content:
        checksum ^= byte
    data += bytes(-(len(data) + 1) % 16) + bytes([checksum])
    return data + hashlib.sha256(data).digest()


def partition_table(*partitions):
    """A table with its MD5: the application's partition, and (name, offset, size) of others."""
    entries = b""
    for name, offset, size in (("factory", 0x10000, 0x1F0000), *partitions):
        kind = b"\x00\x00" if name == "factory" else b"\x01\x81"
        entries += b"\xaa\x50" + kind + offset.to_bytes(4, "little") + size.to_bytes(4, "little")
        entries += name.encode().ljust(20, b"\0")
    return entries + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()


def firmware(chip, offset, *partitions, version=VERSION):
    """What is flashed at `offset`: boot loader, partition table, MicroPython."""
    data = part(chip, b"the boot loader").ljust(0x8000 - offset, b"\xff")
    data = (data + partition_table(*partitions)).ljust(0x10000 - offset, b"\xff")
    text = f"\0MicroPython v{version} on 2025-04-15\0" if version else ""
    return data + part(chip, b"the application" * 100 + text.encode())
