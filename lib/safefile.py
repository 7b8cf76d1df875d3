"""Files that must be whole, whenever the power goes: what was there before, or what is new."""

import errno
import os


def write(path: str, pieces) -> None:
    """Replace a file, or make it, of the pieces of bytes that pieces() gives, the same each time.

    OSError: it could not be written, and is as it was.
    """
    aside = path + ".new"
    try:
        with open(aside, "wb") as file:
            for piece in pieces():
                file.write(piece)
        with open(aside, "rb") as file:
            # At its end there is to be nothing more.
            if not all(file.read(len(piece)) == piece for piece in pieces()) or file.read(1):
                raise OSError(errno.EIO)  # the flash did not keep it
        os.rename(aside, path)
    except OSError:
        try:
            os.remove(aside)  # it may take the room that is wanting
        except OSError:
            pass
        raise
