"""Replace generated parts of a document, which stand between two comments."""

from __future__ import annotations

import re
from pathlib import Path


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
