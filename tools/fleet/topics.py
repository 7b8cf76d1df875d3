"""The topics of docs/fleet.md, version 1, as lib/fleet uses them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

VERSION = "v1"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
ALL = "_all"  # in the place of an endpoint: a broadcast to all of them


def is_name(text: str) -> bool:
    """Return whether a board can have this name."""
    return _NAME.fullmatch(text) is not None


def level(name: str) -> str:
    """Return a level of a topic for a name; each byte but A-Z, a-z, 0-9 and "-" becomes _XX."""
    return re.sub(rb"[^A-Za-z0-9-]", lambda match: b"_%02x" % match[0][0], name.encode()).decode()


def endpoint(path: str) -> str:
    """Return the level for the path of an endpoint."""
    return "_root" if path == "/" else level(path[1:])


_PARAMETERS = {"": "[^/]+", "int": "-?[0-9]+", "path": ".+"}


@functools.lru_cache(1000)
def _compiled(pattern: str) -> re.Pattern:
    out = ""
    for part in re.split(r"(<[^<>]*>)", pattern):
        kind, colon, _ = part[1:-1].partition(":")
        is_parameter = part.startswith("<")
        out += _PARAMETERS.get(kind if colon else "", "(?!)") if is_parameter else re.escape(part)
    return re.compile(out, re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Return whether a path matches one with parameters, as lib/wsserver/http/patterns.py does."""
    return _compiled(pattern).fullmatch(path) is not None


@dataclass(frozen=True)
class Topic:
    """A topic of a board: PREFIX/v1/BOARD/KIND/..."""

    board: str
    kind: str
    levels: tuple[str, ...]


def parse(prefix: str, topic: str) -> Topic | None:
    """Return the parts of a topic, or None if it is not one of this fleet."""
    root = f"{prefix}/{VERSION}/"
    if not topic.startswith(root):
        return None
    board, _, rest = topic[len(root) :].partition("/")
    kind, *levels = rest.split("/")
    return Topic(board, kind, tuple(levels)) if is_name(board) and kind else None
