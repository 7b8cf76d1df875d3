"""Make and read the file system of a board: littlefs, as MicroPython's VfsLfs2 has it.

The parameters must be MicroPython's (extmod/vfs_lfs.c). A file that is shorter than the cache is
stored in its folder's block, and a reader with a smaller cache would see only its beginning.
"""

from __future__ import annotations

import errno
from typing import Any

from littlefs import LittleFS, LittleFSError, UserContext

from tools.board.partitions import BLOCK
from tools.failure import Failure

_PARAMETERS: dict[str, Any] = {
    "block_size": BLOCK,
    "read_size": 32,
    "prog_size": 32,
    "cache_size": 128,
    "lookahead_size": 32,
}
_VERSION = 0x00020000  # 2.0: every MicroPython mounts it
_SPARE = 8  # blocks that the first attempt has beyond those in use


class _Memory(UserContext):
    """Hold a file system in memory. The package's own class formats a log line per access."""

    def read(self, cfg: Any, block: int, off: int, size: int) -> bytearray:
        start = block * BLOCK + off
        return self.buffer[start : start + size]

    def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
        start = block * BLOCK + off
        self.buffer[start : start + len(data)] = data
        return 0

    def erase(self, cfg: Any, block: int) -> int:
        self.buffer[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
        return 0


def pack(files: dict[str, bytes], blocks: int) -> bytes:
    """Return a file system of `blocks` blocks with these files, {path: content}.

    The result ends behind the last block in use, so that an image is short. The remaining blocks
    may hold anything: littlefs erases a block before it writes to it.

    Raises Failure if the files do not fit.
    """
    try:
        used = _filled(files, blocks).used_block_count
    except LittleFSError as error:
        if error.code != -errno.ENOSPC:
            raise
        needed = sum(len(content) for content in files.values())
        raise Failure(
            f"the files have {needed >> 10} KB, more than the file system's {blocks * 4} KB hold"
        ) from None
    for count in range(min(used + _SPARE, blocks), blocks + 1, _SPARE):
        try:
            system = _filled(files, count)
        except LittleFSError:
            continue
        if count < blocks:
            system.fs_grow(blocks)
        return bytes(system.context.buffer)[: count * BLOCK]
    return bytes(_filled(files, blocks).context.buffer)


def _filled(files: dict[str, bytes], blocks: int) -> LittleFS:
    memory = _Memory(blocks * BLOCK)
    system = LittleFS(memory, **_PARAMETERS, block_count=blocks, disk_version=_VERSION)
    for path, content in sorted(files.items()):
        folder = path.rpartition("/")[0]
        if folder:
            system.makedirs(folder, exist_ok=True)
        with system.open(path, "wb") as file:
            file.write(content)
    return system


def unpack(data: bytes, blocks: int) -> dict[str, bytes]:
    """Mount a file system and return its files, {path: content}. It may be cut off as by pack().

    Raises Failure if it cannot be mounted.
    """
    # Of any version: newer releases of MicroPython change 2.0 to 2.1 when they first write.
    memory = _Memory(buffer=bytearray(data[: blocks * BLOCK]).ljust(blocks * BLOCK, b"\xff"))
    system = LittleFS(memory, **_PARAMETERS, block_count=blocks, mount=False)
    try:
        system.mount()
        found = {}
        for folder, _, names in system.walk("/"):
            for name in names:
                path = f"{folder.rstrip('/')}/{name}"
                with system.open(path, "rb") as file:
                    found[path] = file.read()
        return found
    except LittleFSError as error:
        raise Failure(f"holds no file system that MicroPython can mount: {error}") from None
