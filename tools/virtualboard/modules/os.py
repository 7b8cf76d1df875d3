"""The chip's os module: its names, and no others of the host's."""

from collections import namedtuple

from uos import (
    chdir,
    getcwd,
    ilistdir,
    listdir,
    mkdir,
    remove,
    rename,
    rmdir,
    sep,
    stat,
    unlink,
    urandom,
)
from vfs import mount, umount

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
