"""Give the interpreter the memory of a chip: see ../chipheap.py. The launcher calls it, once.

It is for a 32-bit interpreter on x86, with the modules ffi and uctypes.
"""

import gc
import struct

import ffi
import uctypes

# How allocating works afterwards. Words in quotes stand for addresses.
_CODE = (
    b"\x8b\x44\x24\x04",  # mov eax, [esp+4]: the size
    b"\x3b\x05", "biggest",  # cmp eax, [biggest]
    b"\x76\x05",  # jbe wrapper
    b"\xa3", "biggest",  # mov [biggest], eax
    b"\x83\xec\x04",  # wrapper: sub esp, 4 (the stack stays aligned)
    b"\xff\x74\x24\x0c",  # push dword [esp+12]: the flags
    b"\xff\x74\x24\x0c",  # push dword [esp+12]: the size
    b"\xb8", "alloc",  # mov eax, gc_alloc
    b"\xff\xd0",  # call eax
    b"\x83\xc4\x0c",  # add esp, 12
    b"\x85\xc0",  # test eax, eax
    b"\x0f\x85\x95\x00\x00\x00",  # jnz done
    b"\x83\x7c\x24\x04\x00",  # cmp dword [esp+4], 0
    b"\x0f\x84\x8a\x00\x00\x00",  # je done
    b"\x83\xec\x0c",  # sub esp, 12
    b"\xb8", "locked",  # mov eax, gc_is_locked
    b"\xff\xd0",  # call eax
    b"\x83\xc4\x0c",  # add esp, 12
    b"\x84\xc0",  # test al, al
    b"\xb8\x00\x00\x00\x00",  # mov eax, 0
    b"\x75\x74",  # jnz done
    b"\x8b\x4c\x24\x04",  # mov ecx, [esp+4]
    b"\x89\x0d", "request",  # mov [request], ecx
    b"\x6b\xc1\x0d",  # imul eax, ecx, 13
    b"\xc1\xe8\x09",  # shr eax, 9
    b"\x3d\x00\x08\x00\x00",  # cmp eax, 2048: what a new part of the heap takes itself
    b"\x73\x05",  # jae L1
    b"\xb8\x00\x08\x00\x00",  # mov eax, 2048
    b"\x01\xc8",  # L1: add eax, ecx: what is needed
    b"\x8b\x15", "pool",  # mov edx, [pool]
    b"\x39\xc2",  # cmp edx, eax
    b"\x72\x44",  # jb fail
    b"\x3b\x05", "raw",  # cmp eax, [raw]: the heap doubles,
    b"\x73\x05",  # jae L2
    b"\xa1", "raw",  # mov eax, [raw]
    b"\x39\xd0",  # L2: cmp eax, edx: at most by the whole pool
    b"\x76\x02",  # jbe L3
    b"\x89\xd0",  # mov eax, edx
    b"\x29\x05", "pool",  # L3: sub [pool], eax
    b"\x01\x05", "raw",  # add [raw], eax
    b"\xff\x05", "grown",  # inc dword [grown]
    b"\xd1\xe0",  # shl eax, 1: of 131 half bytes, 128 can be allocated,
    b"\x31\xd2",  # xor edx, edx
    b"\xb9\x83\x00\x00\x00",  # mov ecx, 131: and one byte is the table's
    b"\xf7\xf1",  # div ecx
    b"\x01\x05", "length",  # add [length], eax
    b"\xc1\xe0\x06",  # shl eax, 6
    b"\x01\x05", "end",  # add [end], eax
    b"\xe9\x56\xff\xff\xff",  # jmp wrapper
    b"\xff\x05", "failed",  # fail: inc dword [failed]
    b"\x31\xc0",  # xor eax, eax
    b"\xc3",  # done: ret
)  # fmt: skip

_READ, _WRITE, _EXECUTE = 1, 2, 4
_SHARED, _PRIVATE, _ANONYMOUS = 1, 2, 0x20
_PAGE = 4096


def _word(address, value=None):
    """Read a word of memory, or write it."""
    place = uctypes.bytearray_at(address, 4)
    if value is not None:
        struct.pack_into("<I", place, 0, value & 0xFFFFFFFF)
    return struct.unpack("<I", place)[0]


def _base(path):
    """Return the address at which the interpreter's file begins in memory."""
    with open("/proc/self/maps") as file:
        for line in file:
            if line.rstrip().endswith(" " + path):
                return int(line.split("-")[0], 16)
    raise OSError("the interpreter is not in /proc/self/maps")


def _record(start, size):
    """Return the address of the collector's record of the heap, which is within a structure."""
    words = struct.unpack("<%dI" % (size >> 2), uctypes.bytearray_at(start, size & -4))
    for index in range(len(words) - 6):
        length = words[index + 1]
        first, end = words[index + 3], words[index + 4]
        if 0 < length < 1 << 24 and words[index] < first and end - first == length << 6:
            return start + index * 4
    raise OSError("no record of the heap")


class Growth:
    """The parts of the model. build: as in chipheap.py. path: of the shared page. fields: the
    names of its words.
    """

    def __init__(self, build, path, fields):
        libc = ffi.open("libc.so.6")
        self._map = libc.func("p", "mmap", "piiiii")
        self._protect = libc.func("i", "mprotect", "pii")
        self._base = _base(build["file"])
        if "area" in build:
            self._area = self._base + build["area"]
        else:
            start, size = build["context"]
            self._area = _record(self._base + start, size)
            gc.collect()  # what follows stays, and must not lie behind garbage
        self._file = open(path, "r+b")
        page = self._mapped(_READ | _WRITE, _SHARED, self._file.fileno())
        self.page = {name: page + 4 * index for index, name in enumerate(fields)}
        self._redirect(build)

    def _mapped(self, access, kind, descriptor, size=_PAGE):
        address = self._map(None, size, access, kind, descriptor, 0)
        if address == -1:
            raise OSError("mmap")
        return address & 0xFFFFFFFF

    def flash(self, path, size):
        """Return a file as memory outside the heap, as a chip sees a partition of its flash."""
        with open(path, "rb") as file:
            address = self._mapped(_READ, _PRIVATE, file.fileno(), size)
        return uctypes.bytearray_at(address, size)

    def _redirect(self, build):
        """Have the interpreter call the machine code in place of gc_alloc()."""
        addresses = {name: self._base + build[name] for name in ("alloc", "locked")}
        addresses.update(self.page)
        addresses["length"] = self._area + 4
        addresses["end"] = self._area + 16
        code = self._mapped(_READ | _WRITE, _PRIVATE | _ANONYMOUS, -1)
        parts = [
            part if isinstance(part, bytes) else struct.pack("<I", addresses[part])
            for part in _CODE
        ]
        program = b"".join(parts)
        uctypes.bytearray_at(code, len(program))[:] = program
        self._access(code, code, _READ | _EXECUTE)
        calls = [self._base + call for call in build["calls"]]
        self._access(min(calls), max(calls) + 5, _READ | _WRITE | _EXECUTE)
        for call in calls:
            after = call + 5
            if _word(call + 1) != addresses["alloc"] - after & 0xFFFFFFFF:
                raise OSError("no call of gc_alloc")
            _word(call + 1, code - after)
        self._access(min(calls), max(calls) + 5, _READ | _EXECUTE)

    def _access(self, start, end, access):
        start &= -_PAGE
        if self._protect(start, (end - start + _PAGE) & -_PAGE, access):
            raise OSError("mprotect")

    def forget_names(self):
        """Have the next table of names be as small as a chip's first: see docs/virtual-board.md.

        A table (qstr pool) has twice the size of the one before. The stand-ins' names fill large
        ones, which a chip has in flash.
        """
        start, end = _word(self._area + 12), _word(self._area + 16)
        for address in range(self._area - 0x348, self._area + 0x800, 4):
            pool = _word(address)
            if start <= pool < end and not pool & 15:
                size, used, hashes = (_word(pool + offset) for offset in (8, 12, 16))
                if size and used <= size and hashes == pool + 24 + 4 * size:
                    _word(pool + 8, 10)
                    return
        raise OSError("no table of names")

    def limit(self, free, used, kept):
        """Have the heap end where `free` bytes are left. `used`: what is to seem in use.

        kept: a list, for what must not be collected. Returns the bytes of the heap that are none
        of the board's.
        """
        start, end = _word(self._area + 12), _word(self._area + 16)
        filler = None
        gc.collect()
        tail = _small(end - _top())
        gc.collect()
        for _ in range((gc.mem_free() - tail) >> 4):
            filler = (filler,)  # takes one block, and the lowest that is free
        gc.collect()
        first = _small(_top() - start) >> 4  # the block from which on all is free
        gc.collect()
        last = (first + (free >> 4) + 32) & -4
        # Were the heap to grow past its real end, it would overwrite the interpreter's memory.
        if start + (last << 4) + _word(self.page["pool"]) > end:
            raise OSError("the interpreter's heap is too small for HEAP=chip: see PATHS_COST")
        block = bytearray((last - first - 1) << 4)  # and one block for the object itself
        # This stays beyond the end, so that no object lies across it when the heap has grown.
        seam = (filler,)
        while _small(id(seam) - start) >> 4 < last:
            seam = (seam,)
        kept[0] = seam
        del block
        table = _word(self._area)
        _word(self._area + 4, last >> 2)
        _word(self._area + 16, start + (last << 4))
        _word(self._area + 24, last - 1)  # the last block in use: sweeping goes as far as that
        for name, value in (
            ("table", table),
            ("start", start),
            ("end", self._area + 4),
        ):
            _word(self.page[name], value)
        del start, end, table, value
        gc.collect()
        while gc.mem_free() > free:
            filler = (filler,)
        kept[1] = filler
        hidden = gc.mem_alloc() - used
        _word(self.page["hidden"], hidden)
        return hidden


def _top():
    """Return the address of the first of many free blocks, which are in one piece."""
    block = bytearray(40000)
    place = uctypes.addressof(block)
    return place if _small(id(block) - place + 16) else place - 16


def _small(number):
    """Return a distance as an object that takes no memory. id() may lack the highest bit."""
    return struct.unpack("<I", struct.pack("<I", number & 0x7FFFFFFF))[0]
