"""Atomic file replacement: after a power cut a file has its old content or its new content."""

import errno
import os


def write(path: str, pieces) -> None:
    """Create or replace a file with the byte strings that pieces() yields.

    pieces() is called twice and must yield the same both times: the file is written beside the old
    one, read back, and renamed.
    Raises OSError if the file cannot be written; the old file then remains.
    """
    temporary = path + ".new"
    try:
        with open(temporary, "wb") as file:
            for piece in pieces():
                file.write(piece)
        with open(temporary, "rb") as file:
            # The last read detects extra bytes at the end.
            if not all(file.read(len(piece)) == piece for piece in pieces()) or file.read(1):
                raise OSError(errno.EIO)  # the flash did not store what was written
        os.rename(temporary, path)
    except OSError:
        try:
            os.remove(temporary)  # on a full flash, other files may need this space
        except OSError:
            pass
        raise
