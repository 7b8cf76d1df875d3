"""Parts of a document that are written by tools, between two comments that say by which."""

from __future__ import annotations

import re
from pathlib import Path


def put(document: Path, tool: str, text: str) -> None:
    """Replace what is between `<!-- begin: tool -->` and `<!-- end: tool -->`.

    LookupError: the document has no such part.
    """
    old = document.read_text(encoding="utf-8")
    begin, end = f"<!-- begin: {tool} -->\n", f"<!-- end: {tool} -->"
    part = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not part.search(old):
        raise LookupError(f"{document} has no part for {tool}: {begin}")
    new = part.sub(lambda _: begin + "\n" + text + "\n" + end, old)
    document.write_text(new, encoding="utf-8")
