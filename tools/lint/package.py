"""Generate package.json: the library for `mpremote mip install`."""

from __future__ import annotations

import json
from pathlib import Path

from tools import ROOT

LIBRARY = "wsserver"


def text(old: str, root: Path = ROOT) -> str:
    """Return package.json for the library in `root`, with the version of the old one."""
    version = json.loads(old)["version"]
    names = sorted(path.relative_to(root / "lib").as_posix() for path in _modules(root))
    urls = "".join(
        f"    {json.dumps([name, f'lib/{name}'])}{',' if name != names[-1] else ''}\n"
        for name in names
    )
    return f'{{\n  "urls": [\n{urls}  ],\n  "deps": [],\n  "version": "{version}"\n}}\n'


def _modules(root: Path) -> list[Path]:
    return list((root / "lib" / LIBRARY).rglob("*.py"))
