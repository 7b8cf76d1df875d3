"""Log levels, with the numbers of Python's logging, and the default log function."""

import errno
import io
import sys

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40


def log(level: int, text: str) -> None:
    """Print warnings and errors; ignore the other levels."""
    if level >= WARNING:
        print("wsserver:", text)


# Texts of errno numbers, after their names in the errno module. EPIPE and ENFILE have no names
# there, but the same numbers on all boards.
_MEANINGS = (
    "|EADDRINUSE=port in use|ECONNABORTED=aborted|ECONNRESET=connection reset by the peer|"
    "EHOSTUNREACH=no route to the peer|ENOMEM=out of memory|ENOBUFS=out of memory for sockets|"
    "ENOTCONN=not connected|ETIMEDOUT=timed out|"
)
_OTHERS = {23: "ENFILE", 32: "EPIPE"}


def describe(error: Exception) -> str:
    """Return an exception as text; for an OSError, the name and the meaning of its errno."""
    args = error.args
    if not isinstance(error, OSError) or not args or not isinstance(args[0], int):
        return str(error) or type(error).__name__
    name = errno.errorcode.get(args[0]) or _OTHERS.get(args[0])
    if not name:  # of TLS, for example: the number and a text
        return str(args[1]) if len(args) > 1 else "errno %d" % args[0]
    start = _MEANINGS.find("|" + name + "=")
    if start < 0:
        return name
    start += len(name) + 2
    return "%s (%s)" % (name, _MEANINGS[start : _MEANINGS.find("|", start)])


def traceback(error: Exception) -> str:
    """Return the traceback of `error` as text, or only its name if memory is short."""
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue().strip()
    except (MemoryError, AttributeError):  # CPython has no sys.print_exception
        return repr(error)
