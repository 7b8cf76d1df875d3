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
    """As a 2 MB littlefs of 4 KB blocks, as good as empty, unless it is one."""
    if _flash is None:
        return _statvfs(path)
    stat(path)
    return (4096, 4096, 512, 480, 480, 0, 0, 0, 0, 255)


def sync():
    pass


def dupterm(stream, index=0):
    """The virtual board has one terminal, its serial port; nothing else can take its place."""
