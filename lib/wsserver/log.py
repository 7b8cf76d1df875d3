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


# The meaning of the errno names that users of a server see.
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


def escape(text: str, limit: int = 80) -> str:
    """Escape a peer's text for a log line or a response, and cut it to about `limit` characters.

    Everything but printable ASCII becomes \\xNN, so that line breaks, terminal codes and
    bidirectional marks cannot forge or garble a line.
    """
    out = bytearray()
    for byte in text.encode():  # bytes, because MicroPython interns the characters of a str
        if len(out) >= limit:
            out += b"..."
            break
        if 32 <= byte < 127 and byte != 92:
            out.append(byte)
        else:
            out += b"\\x%02x" % byte
    return str(out, "utf-8")


def traceback(error: Exception) -> str:
    """Return the traceback of `error` as text, or only its name if memory is short."""
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        lines = text.getvalue().strip().split("\n")
        count = 0
        while lines[count : count + 1] and lines[count].startswith(("Traceback", "  File")):
            count += 1
        # The rest is the message, which can contain text of a peer.
        lines[count:] = [escape("\n".join(lines[count:]), 300)]
        return "\n".join(lines)
    except (MemoryError, AttributeError):  # CPython has no sys.print_exception
        return repr(error)
