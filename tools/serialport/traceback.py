"""Says where in the repository a line of a board's traceback is."""

from __future__ import annotations

import re
from pathlib import Path

from tools.flashfiles import ROOT

_LINE = re.compile(r'\s*File "([^"]+)", line (\d+)')


def source_of(line: str, root: Path = ROOT) -> str | None:
    """ "lib/demo.py:12: the code there", for a line such as `File "demo.py", line 12, in build`.

    None: it is no such line, or there is no such file here.
    """
    found = _LINE.match(line)
    if not found:
        return None
    name = found[1].lstrip("/")
    if ".." in name.split("/"):
        return None
    for path in (root / name, root / "lib" / name):
        if path.suffix == ".py" and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            number = int(found[2])
            code = lines[number - 1].strip() if 0 < number <= len(lines) else "(no such line)"
            return f"{path.relative_to(root).as_posix()}:{number}: {code}"
    return None
