"""Log levels, the same numbers as in Python's logging, and the function that logs unless
`Server(log=...)` names another.
"""

import io
import sys

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40


def log(level: int, text: str) -> None:
    """Print warnings and errors; keep quiet about the rest."""
    if level >= WARNING:
        print("wsserver:", text)


def traceback(error: Exception) -> str:
    """The traceback of `error` as text; its name alone when there is no memory for more."""
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue().strip()
    except (MemoryError, AttributeError):  # CPython has no sys.print_exception
        return repr(error)
