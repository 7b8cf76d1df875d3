"""The chip's os module: its names, and no others of the host's."""

from collections import namedtuple as _namedtuple

from uos import (
    chdir,
    getcwd,
    listdir,
    mkdir,
    remove,
    rmdir,
    stat,
    unlink,
    urandom,
)
from uos import ilistdir as _ilistdir
from uos import rename as _rename
from uos import statvfs as _statvfs
from vfs import VfsPosix as _VfsPosix
from vfs import mount, umount

_BLOCK = 4096
_BLOCKS = 512
_INLINE = 512  # bytes of a file that is stored in its folder's block
_flash = ""
_machine = ""  # from the launcher


def _setup(flash):
    """From the launcher: the host's path of the flash, or None if that is a littlefs."""
    global _flash
    _flash = flash


def ilistdir(path=""):
    """As littlefs gives it: (name, kind, 0, size)."""
    folder = path.rstrip("/") + "/" if path else ""
    return (
        (name, kind, 0, stat(folder + name)[6] if kind == 0x8000 else 0)
        for name, kind, *_ in _ilistdir(path or getcwd())
    )


def rename(old, new):
    if _flash is None:
        return _rename(old, new)
    # The Unix port's VfsPosix cannot rename below a root of its own: both its paths share a
    # buffer.
    here = getcwd().rstrip("/") + "/"
    paths = [_flash + (path if path[0] == "/" else here + path) for path in (old, new)]
    _VfsPosix().rename(*paths)


_uname = _namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))


def uname():
    return _uname("esp32", "esp32", "1.29.0", "virtual board", _machine)


def statvfs(path):
    """As a littlefs of 2 MB, as on a board with 4 MB of flash, unless it is one."""
    if _flash is None:
        return _statvfs(path)
    stat(path)
    free = max(0, _BLOCKS - _used("/"))
    return (_BLOCK, _BLOCK, _BLOCKS, free, free, 0, 0, 0, 0, 255)


def _used(folder):
    """Return how many blocks of a littlefs the files in a folder take.

    Not recursive: the memory is the board's, which a chip does not need for this.
    """
    count = 0
    folders = [folder]
    while folders:
        folder = folders.pop()
        count += 2  # a folder has two, which take turns
        for name, kind, *_ in _ilistdir(folder):
            if kind == 0x4000:
                folders.append(folder + name + "/")
                continue
            size = stat(folder + name)[6]
            if size > _INLINE:
                count += -(-size // _BLOCK)
    return count


def sync():
    pass


def dupterm(stream, index=0):
    """The virtual board has one terminal, its serial port; nothing else can take its place."""
