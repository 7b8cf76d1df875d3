"""Compressed files, for the rare client that takes no gzip, or does not say so. Loaded for it."""

from deflate import GZIP, DeflateIO

from .frames import const
from .handshake import HTTPError

_BITS = const(15)  # a window of 32 KB, gzip's usual one
# Before another one, in a field of the header (RFC 1952, section 2.3.1.1).
_MARK = b"\x05\x00WB\x01\x00"


def inflated(file):
    """What a gzip file contains, as a file. HTTPError 406: there is no memory to decompress it."""
    head = file.read(17)
    file.seek(0)
    bits = head[16] if head[10:16] == _MARK and 8 <= head[16] <= _BITS else _BITS
    try:
        bytearray((1 << bits) + 1000)  # the first read takes it, when it is too late to say no
    except MemoryError:
        file.close()
        raise HTTPError(406, "say Accept-Encoding: gzip") from None
    return DeflateIO(file, GZIP, bits, True)
