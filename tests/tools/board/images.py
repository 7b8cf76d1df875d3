"""Small firmware images, as whole and as well-formed as MicroPython's."""

import hashlib

CHIP_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13, "esp32h2": 16}


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


def partition_table():
    """A table of one partition, the application's, with its MD5."""
    entry = b"\xaa\x50\x00\x00" + (0x10000).to_bytes(4, "little") + bytes(24)
    return entry + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entry).digest()


def firmware(chip, offset):
    """What is flashed at `offset`: boot loader, partition table, application."""
    data = part(chip, b"the boot loader").ljust(0x8000 - offset, b"\xff")
    data = (data + partition_table()).ljust(0x10000 - offset, b"\xff")
    return data + part(chip, b"the application" * 100)
