"""`python -m tools manual PAGE`: show a page of the documentation, which the package contains."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from tools import ROOT
from tools.failure import Failure, spelled


def pages(root: Path = ROOT) -> dict[str, Path]:
    """Return the pages by the names under which they are shown."""
    found = {path.stem: path for path in sorted((root / "docs").glob("*.md"))}
    return {"readme": root / "README.md", **found}


def show(name: str, root: Path = ROOT) -> None:
    """Show a page, one screen at a time in a terminal. "" lists the pages.

    Raises Failure if there is no such page.
    """
    found = pages(root)
    if not name:
        for key, path in found.items():
            print(f"{key:16} {_title(path)}")
        return
    key = name.lower().removeprefix("docs/").removesuffix(".md")
    if key not in found:
        close = get_close_matches(key, found, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(found)}"
        raise Failure(f"there is no page {name}: {hint}")
    click.echo_via_pager(spelled(found[key].read_text(encoding="utf-8")))


def _title(path: Path) -> str:
    """Return the first heading of a page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ")), "")
