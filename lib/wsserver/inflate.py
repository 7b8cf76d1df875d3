"""Compressed files, for the rare client that takes no gzip. Loaded when one comes."""

from deflate import GZIP, DeflateIO

from .frames import const
from .handshake import HTTPError

# Bytes that decompressing takes of the heap in one piece, and a little more.
_WINDOW = const(34000)


def inflated(file):
    """What a gzip file contains, as a file. HTTPError 406: there is no memory to decompress it."""
    try:
        bytearray(_WINDOW)  # the first read takes it, when it would be too late to say no
    except MemoryError:
        file.close()
        raise HTTPError(406, "say Accept-Encoding: gzip") from None
    return DeflateIO(file, GZIP, 0, True)
