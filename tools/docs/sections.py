"""Replace generated parts of a document, which stand between two comments."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tools import ROOT


def now() -> dict[str, str]:
    """Return the date and the commit, of which a measurement is made."""
    command = ["git", "rev-parse", "--short=8", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return {"date": time.strftime("%Y-%m-%d"), "commit": done.stdout.strip()}


def when(measured: dict) -> str:
    """Return the date and the commit in a dict with those of now(), as text."""
    commit = measured.get("commit")
    return measured["date"] + (f", commit {commit}" if commit else "")


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def put(document: Path, tool: str, text: str) -> None:
    """Replace a generated part in a file. See `replace`."""
    old = document.read_text(encoding="utf-8")
    document.write_text(replace(old, tool, text), encoding="utf-8")


def replace(document: str, tool: str, text: str) -> str:
    """Return a document with new text between `<!-- begin: tool -->` and `<!-- end: tool -->`.

    Raises LookupError if the document has no such part.
    """
    begin, end = f"<!-- begin: {tool} -->\n", f"<!-- end: {tool} -->"
    part = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not part.search(document):
        raise LookupError(f"the document has no part for {tool}: {begin}")
    return part.sub(lambda _: begin + "\n" + text + "\n" + end, document)
