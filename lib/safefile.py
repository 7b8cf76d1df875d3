"""Files that must be whole, whenever the power goes: what was there before, or what is new."""

import errno
import os

_PIECE = 256


def write(path: str, data: bytes) -> None:
    """Replace a file, or make it. OSError: it could not be written, and is as it was."""
    aside = path + ".new"
    try:
        with open(aside, "wb") as file:
            file.write(data)
        with open(aside, "rb") as file:
            for start in range(0, len(data) + 1, _PIECE):
                if file.read(_PIECE) != data[start : start + _PIECE]:
                    raise OSError(errno.EIO)  # the flash did not keep it
        os.rename(aside, path)
    except OSError:
        try:
            os.remove(aside)  # it may take the room that is wanting
        except OSError:
            pass
        raise
