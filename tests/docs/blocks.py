"""The code blocks of the documents, by their titles."""

import re
from typing import NamedTuple

from tools import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r'^(?P<mark><!-- not run here -->\n)?```(?P<language>[\w-]+)(?: title="(?P<title>[^"]*)")?\n'
    r"(?P<code>.*?)^```$",
    flags=re.M | re.S,
)


class Block(NamedTuple):
    """A fenced block of code: where it is, its language, its title, and if tests may run it."""

    place: str
    language: str
    title: str
    code: str
    runs: bool


def blocks(document):
    """Return the blocks of a document."""
    text = (DOCS / document).read_text(encoding="utf-8")
    return [
        Block(
            f"{document}:{text[: match.start('language')].count(chr(10)) + 1}",
            match["language"],
            match["title"] or "",
            match["code"],
            not match["mark"],
        )
        for match in _BLOCK.finditer(text)
    ]


def code(document, title):
    """Return the code of the block with a title."""
    found = [block.code for block in blocks(document) if block.title == title]
    assert len(found) == 1, f"{document} has {len(found)} blocks with the title {title!r}"
    return found[0]
