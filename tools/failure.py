"""Failures of a command: one line for the user, without a traceback."""

from __future__ import annotations

import sys

import click


class Failure(click.ClickException):
    """A command cannot do its work. The message says what happened and what to do about it."""


def warn(text: str) -> None:
    """Print a warning to standard error, in the right order with the other output."""
    sys.stdout.flush()
    print(f"warning: {text}", file=sys.stderr, flush=True)
