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


# The meaning of errno names that a server's user will see.
_MEANINGS = (
    "|EADDRINUSE=port in use|ECONNRESET=connection reset by the peer|ENOMEM=out of memory|"
    "EPIPE=connection closed by the peer|ETIMEDOUT=timed out|"
)


def describe(error: Exception) -> str:
    """Return an exception as text; for an OSError, the name and the meaning of its errno."""
    number = error.args[0] if error.args else 0
    # MicroPython's errno module has no EPIPE, but it is the same number everywhere.
    name = errno.errorcode.get(number) or number == 32 and "EPIPE"
    if not isinstance(error, OSError) or not name:
        return str(error) or type(error).__name__
    start = _MEANINGS.find("|%s=" % name)
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
