"""The chip's os module: its names, and no others of the host's."""

from collections import namedtuple

from uos import (
    chdir,
    getcwd,
    ilistdir,
    listdir,
    mkdir,
    remove,
    rmdir,
    sep,
    stat,
    unlink,
    urandom,
)
from vfs import VfsPosix, mount, umount

_flash = ""


def setup(flash):
    """From the launcher: the host's path of the flash."""
    global _flash
    _flash = flash


def rename(old, new):
    # The Unix port's VfsPosix cannot rename below a root of its own: both its paths share a
    # buffer.
    here = getcwd().rstrip("/") + "/"
    paths = [_flash + (path if path[0] == "/" else here + path) for path in (old, new)]
    VfsPosix().rename(*paths)


_uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))


def uname():
    return _uname("esp32", "esp32", "1.29.0", "virtual board", "Virtual board with ESP32")


def statvfs(path):
    """As a 2 MB littlefs of 4 KB blocks, as good as empty."""
    stat(path)
    return (4096, 4096, 512, 480, 480, 0, 0, 0, 0, 255)


def sync():
    pass


def dupterm(stream, index=0):
    """The virtual board has one terminal, its serial port; nothing else can take its place."""
