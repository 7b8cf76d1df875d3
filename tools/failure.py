"""How every command ends that cannot do what it was asked to: one line, without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Failure(Exception):  # noqa: N818 - it is the outcome of a command, not a programming error
    """What happened, and what to do about it, as a sentence for people."""


def run(command: str, function: Callable[[], int | None]) -> int:
    """The exit status of a command. A Failure is printed, after the command's name."""
    try:
        return function() or 0
    except Failure as failure:
        sys.stdout.flush()
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{command}: stopped by Ctrl-C", file=sys.stderr)
        return 130


def warn(text: str) -> None:
    """Print a warning where errors go, in the right order with the other output."""
    sys.stdout.flush()
    print(f"warning: {text}", file=sys.stderr, flush=True)
