"""Find the source line that a line of a board's traceback refers to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tools import ROOT

_LINE = re.compile(r'\s*File "([^"]+)", line (\d+)')


def source_of(
    line: str, root: Path = ROOT, find: Callable[[str], Path | None] = lambda name: None
) -> str | None:
    """Return "lib/demo/chat.py:12: the code there" for a line of a traceback.

    Such as `File "/lib/demo/chat.mpy", line 12, in build`. find(name): returns the file here of an
    application's file on the board, or None (tools.deploy.application).

    Returns None for other lines and for files that are not in the repository or the application.
    """
    found = _LINE.match(line)
    if not found:
        return None
    own = find(found[1])
    if own:
        return _shown(own, own.as_posix(), int(found[2]))
    name = re.sub(r"\.mpy$", ".py", found[1].lstrip("/"))
    if ".." in name.split("/"):
        return None
    for path in (root / name, root / "lib" / name):
        if path.suffix == ".py" and path.is_file():
            return _shown(path, path.relative_to(root).as_posix(), int(found[2]))
    return None


def _shown(file: Path, name: str, number: int) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    code = lines[number - 1].strip() if 0 < number <= len(lines) else "(no such line)"
    return f"{name}:{number}: {code}"
