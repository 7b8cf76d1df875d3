"""Write the files that commands create, and quote paths in messages."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from pathlib import Path

from tools.failure import Failure


def write(path: Path, data: bytes, check: Callable[[Path], None] | None = None) -> None:
    """Write a file that is complete or not there at all. An older one is replaced at the end.

    check(file): called with the written file before it gets its name; may raise Failure.

    Raises Failure if it cannot be written, or if something else than a file has the name.
    """
    if path.exists() and not path.is_file():
        raise Failure(f"{path} is no file: name one that does not exist yet, or an older one")
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_bytes(data)
            if check:
                check(fresh)
            fresh.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None


def quoted(path: Path | str) -> str:
    """Return a path as it is written in a command, in quotes if it needs them."""
    text = str(path)
    if text and not set(text) & set(" \t()&;|<>*?'\"$`"):
        return text
    # Every shell knows double quotes, also those of Windows.
    return shlex.quote(text) if set(text) & set('"$`') else f'"{text}"'
