"""Texts for the log that are rarely needed. Loaded while one is made."""

import errno
import io
import sys

from .log import escape

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
    """Return the traceback of an exception."""
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().strip().split("\n")
    count = 0
    while lines[count : count + 1] and lines[count].startswith(("Traceback", "  File")):
        count += 1
    # What follows is the message, which can contain text of a peer.
    lines[count:] = [escape("\n".join(lines[count:]), 300)]
    return "\n".join(lines)


def slow(took: int, name, client) -> str:
    """Return the warning that a callback took `took` ms.

    name: of a client's callback, or the function of a timer, or a description.
    """
    if client:
        name = "on_%s of %s" % (name, getattr(client, "_path", "HTTP"))
    elif not isinstance(name, str):
        name = "timer %s" % getattr(name, "__name__", name)
    return "slow: %s took %d ms and blocked the server" % (name, took)
