"""Texts for errors, with the meaning of their numbers. Loaded while one is made."""

import errno

from micropython import const

_INVALID_RECORD = const(-29184)  # of Mbed TLS, before the text that MicroPython adds
# The meaning of errno names that a server's user will see.
_MEANINGS = (
    "|EADDRINUSE=port in use|ECONNRESET=connection reset by the peer|ENOMEM=out of memory|"
    "EPIPE=connection closed by the peer|ETIMEDOUT=timed out|ENOENT=no such file or folder|"
    "EIO=the flash or a device failed|ECONNREFUSED=nothing listens at that address|"
    "EHOSTUNREACH=no route to that address|ENETUNREACH=no network|ENFILE=no socket is free|"
    "ENOSPC=no space on the flash|EROFS=the file system is read-only|"
    "ENODEV=no such device, or no file system|EISDIR=a folder, not a file|"
)
# Numbers without a name in MicroPython's errno module. Positive ones are the same everywhere,
# negative ones are of lwIP, the C library's resolver, Mbed TLS and ESP-IDF.
_NUMBERS = {
    20: "ENOTDIR",
    23: "ENFILE",
    28: "ENOSPC",
    30: "EROFS",
    32: "EPIPE",
    39: "ENOTEMPTY",
    84: "the file system is damaged",
    101: "ENETUNREACH",
    -2: "the host name could not be resolved",
    -3: "the host name could not be resolved: is there a network?",
    -200: "the host name could not be resolved",
    -202: "the host name could not be resolved: is there a network?",
    -203: "out of memory while resolving a host name",
    -257: "out of memory of ESP-IDF",
    -9984: "TLS: the peer's certificate is not trusted",
    -17040: "TLS: out of memory",
    -29312: "TLS: the peer closed the connection in the handshake",
    -30592: "TLS: the peer refused the handshake",
    -30848: "TLS: the peer closed the connection",
    -32512: "TLS: out of memory",
}


def describe(error: Exception) -> str:
    """Return an exception as text; for an OSError, the name and the meaning of its errno."""
    number = error.args[0] if error.args else 0
    name = None
    if number == _INVALID_RECORD:
        return "TLS: the peer does not use TLS (%d)" % number  # HTTPConnection looks for it
    if isinstance(error, OSError) and isinstance(number, int) and len(error.args) == 1:
        name = errno.errorcode.get(number) or _NUMBERS.get(number)
        if name and (number < 0 or " " in name):
            return "%s (%d)" % (name, number)
        if not name and number < -0x1000:
            return "error -0x%x of TLS or ESP-IDF" % -number
    if not name:
        return str(error) or type(error).__name__
    start = _MEANINGS.find("|%s=" % name)
    if start < 0:
        return name
    start += len(name) + 2
    return "%s (%s)" % (name, _MEANINGS[start : _MEANINGS.find("|", start)])
