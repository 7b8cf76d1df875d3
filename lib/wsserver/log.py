"""Log levels, with the numbers of Python's logging, and the default log function."""

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


def traceback(error: Exception) -> str:
    """Return the traceback of `error` as text, or only its name if memory is short."""
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue().strip()
    except (MemoryError, AttributeError):  # CPython has no sys.print_exception
        return repr(error)
