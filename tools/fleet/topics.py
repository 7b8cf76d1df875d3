"""The topics of docs/fleet.md, version 1, as lib/fleet uses them."""

from __future__ import annotations

import re
from dataclasses import dataclass

VERSION = "v1"
ALL = "_all"  # in the place of an endpoint: a broadcast to all of them


def level(name: str) -> str:
    """Return a level of a topic for a name; each byte but A-Z, a-z, 0-9 and "-" becomes _XX."""
    return re.sub(rb"[^A-Za-z0-9-]", lambda match: b"_%02x" % match[0][0], name.encode()).decode()


def endpoint(path: str) -> str:
    """Return the level for the path of an endpoint."""
    return "_root" if path == "/" else level(path[1:])


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
    return Topic(board, kind, tuple(levels)) if board and kind else None
