"""HEAP=chip: the memory of an ESP32 without PSRAM, which has two heaps.

MicroPython's heap, which the collector manages, begins with 57,344 bytes: 56,000 to allocate, and
the collector's tables. When a request cannot be met after a collection, the heap grows: it
doubles, at most by the largest block of the other heap. It never shrinks. The other heap is that
of ESP-IDF, the pool: 94 KB in one block, for growth, for TLS and for the network.

The Unix port's heap has one size. Here the interpreter starts with a large heap, and the launcher
tells its collector a nearer end (modules/_chipheap.py). All calls of the allocator go through a
few instructions of machine code. When nothing is free, these do what the chip's allocator does:
take memory of the pool and move the end. That needs addresses inside the interpreter: they are
known of the one build that fetch32 pins, and read from the symbols of a build of your own (`make
STRIP=`). Other 32-bit interpreters get a heap of the first size, which never grows.

Both sides share a page of numbers, which `read` reads here.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

POOL = 94176  # bytes of the pool in one block, with Wi-Fi up
RAW = 57344  # bytes that the heap begins with, tables included
FREE = 52000  # bytes that are free when boot.py begins
USED = 4000  # bytes that are in use then
PAGE = 4096
FIELDS = (
    *("failed", "request", "pool", "grown", "raw", "least"),
    *("table", "start", "hidden", "end", "biggest"),
)

# Of the builds without symbols that can grow, by their ELF build ID. Addresses in the file: of the
# functions gc_alloc() and gc_is_locked(); of the instructions that call (or jump to) gc_alloc; of
# the collector's record of the heap: the allocation table's address and length, the finalisers'
# table, the pool's start and end.
BUILDS = {
    # Debian, i386, 1.25.0+ds-1
    "7d8e5696c15d120dd20925e720adfbcc6a3d25ff": {
        "alloc": 0xDDC0,
        "locked": 0xD710,
        "calls": [0xD187, 0xD1E7, 0xD237, 0xD297, 0xD40F, 0xE69C, 0xE703],
        "area": 0xB43C8,
    },
}


class Heap(NamedTuple):
    """The memory of a board with HEAP=chip, in bytes.

    grown: how often the heap has grown since the start. request: the size of the latest request
    that made it grow, or that failed. failed: how many requests failed (MemoryError). size: what
    can be allocated at most, 56,000 at first. used, free, largest: of `size`, where garbage counts
    as used; `largest` is the largest free block. pool: what is left of the other heap, least: the
    least that it was. biggest: the largest request since the start, or since the board wrote 0
    there.
    """

    grown: int
    request: int
    failed: int
    size: int
    used: int
    free: int
    largest: int
    pool: int
    least: int
    biggest: int


def build_of(interpreter: Path) -> dict | None:
    """Return the addresses in an interpreter's file, or None if they are not known."""
    try:
        data = interpreter.read_bytes()
        found = BUILDS.get(build_id(data)) or from_symbols(data)
        return found and {**found, "file": str(interpreter.resolve())}
    except (OSError, struct.error, IndexError, ValueError):
        return None


def from_symbols(data: bytes) -> dict | None:
    """Return the addresses in an ELF file for 32-bit x86 with symbols, or None without them.

    The record of the heap has no symbol of its own. "context" is the address and the size of the
    structure that it is in, for modules/_chipheap.py, which recognises it by its numbers.
    """
    if data[:5] != b"\x7fELF\x01" or struct.unpack_from("<H", data, 18) != (3,):
        return None
    found = symbols(data, ("gc_alloc", "gc_is_locked", "mp_state_ctx"))
    loaded = [row for row in _rows(data, 28, 42, "<IIIIIII") if row[0] == 1]  # PT_LOAD
    if len(found) < 3 or not loaded:
        return None
    base = min(row[2] for row in loaded)
    alloc = found["gc_alloc"][0]
    calls = []
    for _, start, address, _, length, _, flags in loaded:
        for at in range(start, start + length - 4 if flags & 1 else 0):  # executable
            if data[at] in (0xE8, 0xE9):  # call, jmp
                place = address + at - start
                if place + 5 + struct.unpack_from("<i", data, at + 1)[0] == alloc:
                    calls.append(place - base)
    context, size = found["mp_state_ctx"]
    return {
        "alloc": alloc - base,
        "locked": found["gc_is_locked"][0] - base,
        "calls": calls,
        "context": [context - base, size],
    }


def _rows(data, table, shape, layout):
    """Yield the rows of an ELF file's table. table, shape: where its offset, and the size and
    number of its rows, are in the header.
    """
    offset = struct.unpack_from("<I", data, table)[0]
    size, count = struct.unpack_from("<HH", data, shape)
    for number in range(count):
        yield struct.unpack_from(layout, data, offset + number * size)


def symbols(data: bytes, names: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return {name: (address, size)} of the symbols that an ELF file for 32 bits has of these."""
    sections = list(_rows(data, 32, 46, "<10I"))
    found = {}
    for section in sections:
        if section[1] != 2:  # SHT_SYMTAB
            continue
        start = sections[section[6]][4]
        texts = data[start : start + sections[section[6]][5]]
        for at in range(section[4], section[4] + section[5], 16):
            place, address, size = struct.unpack_from("<III", data, at)
            for name in names:
                if texts.startswith(b"%s\0" % name.encode(), place):
                    found[name] = address, size
    return found


def build_id(data: bytes) -> str:
    """Return the build ID in an ELF file for 32-bit machines, in hex, or an empty string."""
    if data[:5] != b"\x7fELF\x01":
        return ""
    for kind, start, _, _, length in _rows(data, 28, 42, "<IIIII"):
        end = start + length
        while kind == 4 and start + 12 <= end:  # PT_NOTE
            name, description, note = struct.unpack_from("<III", data, start)
            body = start + 12 + (name + 3 & ~3)
            if note == 3:  # NT_GNU_BUILD_ID
                return data[body : body + description].hex()
            start = body + (description + 3 & ~3)
    return ""


def prepare(path: Path) -> None:
    """Write the page of a board that is about to start."""
    page = dict.fromkeys(FIELDS, 0) | {"pool": POOL, "raw": RAW, "least": POOL}
    content = struct.pack(f"<{len(FIELDS)}I", *(page[name] for name in FIELDS))
    path.write_bytes(content.ljust(PAGE, b"\0"))


def numbers(path: Path) -> dict[str, int]:
    """Return the page as {field: number}."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), PAGE, prot=mmap.PROT_READ) as page:
        return dict(zip(FIELDS, struct.unpack_from(f"<{len(FIELDS)}I", page), strict=True))


def usable(raw: int) -> int:
    """Return how much of so many bytes can be allocated; the rest is the collector's tables."""
    return raw * 128 // 131


def read(path: Path, pid: int) -> Heap:
    """Return the memory of the board whose interpreter is process `pid`.

    It looks at the collector's table from outside: the board notices nothing, and it needs no
    memory there. While the board allocates, the numbers may be a moment apart.
    """
    page = numbers(path)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(page["end"])
        length, _, _, _ = struct.unpack("<IIII", memory.read(16))
        memory.seek(page["table"])
        table = memory.read(length)
    free = largest = run = 0
    for byte in table:
        for shift in (0, 2, 4, 6):
            if byte >> shift & 3:
                run = 0
            else:
                free += 16
                run += 16
                largest = max(largest, run)
    size = length * 64 - page["hidden"]
    return Heap(
        grown=page["grown"],
        request=page["request"],
        failed=page["failed"],
        size=size,
        used=size - free,
        free=free,
        largest=largest,
        pool=page["pool"],
        least=min(page["least"], page["pool"]),
        biggest=page["biggest"],
    )
