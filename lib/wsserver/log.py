"""Log levels, with the numbers of Python's logging, and the default log function."""

from .lazy import call

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40


def log(level: int, text: str) -> None:
    """Print warnings and errors; ignore the other levels."""
    if level >= WARNING:
        print("wsserver: %s" % text)


def describe(error: Exception) -> str:
    """Return an exception as text; for an OSError, the name and the meaning of its errno."""
    try:
        return call(".errornumbers", "describe", error)
    except MemoryError:
        return repr(error)


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


def traceback(error: Exception, *owner) -> str:
    """Return the traceback of `error` as text, or only its name and client if memory is short.

    owner: see reports.traceback.
    """
    try:
        return call(".reports", "traceback", error, *owner)
    except (MemoryError, AttributeError):  # CPython's gc cannot be tuned
        client: Anything = owner[0] if owner else None
        if not hasattr(client, "_id"):
            return repr(error)
        text = "client %d of %s at %s: out of memory: %r"
        return text % (client._id, client._address[0], escape(client._path), error)
