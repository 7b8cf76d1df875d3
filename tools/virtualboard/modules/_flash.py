"""The chip's flash with its littlefs: a block device in a file of the host.

See MicroPython's documentation of vfs.AbstractBlockDev, the extended interface.
"""

_BLOCK = 4096  # bytes that are erased at once
_COUNT, _SIZE, _ERASE = 4, 5, 6  # operations of ioctl
_ERASED = b"\xff" * _BLOCK
device = None  # from the launcher: the Device that / is on


class Device:
    def __init__(self, path, blocks):
        self._file = open(path, "r+b")
        self._blocks = blocks

    def readblocks(self, number, buffer, offset=0):
        self._file.seek(number * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self._file.seek(number * _BLOCK + offset)
        self._file.write(buffer)

    def ioctl(self, operation, number):
        if operation == _COUNT:
            return self._blocks
        if operation == _SIZE:
            return _BLOCK
        if operation == _ERASE:
            self.writeblocks(number, _ERASED)
        return 0
