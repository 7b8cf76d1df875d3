"""The pages of boards, as the gateway serves them: one packed copy for each version."""

from __future__ import annotations

import mimetypes
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT
from tools.deploy import webpages

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@dataclass(frozen=True)
class File:
    """A static file: its type, its content, and whether that is compressed with gzip."""

    type: str
    content: bytes
    is_compressed: bool


def own_version() -> str:
    """Return the version of lib/wsserver in this repository."""
    text = (ROOT / "lib" / "wsserver" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'__version__ = "(.+)"', text)
    assert match
    return match[1]


_LOCAL = ("/settings.html", "/join.html")  # their endpoints are the admin's
_FOLDER = webpages.FOLDERS[0]  # the gateway has no copies of applications' own pages


class Pages:
    """Files by version. folder: has a subfolder with a www/ for each other version, or None."""

    def __init__(self, folder: Path | None = None):
        self._files = {own_version(): _load(ROOT / "www")}
        for path in sorted(folder.iterdir()) if folder else ():
            if path.is_dir():
                self._files[path.name] = _load(path)

    def has(self, version: str) -> bool:
        """Return whether there is a copy for this version."""
        return version in self._files

    def is_local(self, path: str) -> bool:
        """Return whether a page is of use in the board's own network only."""
        return path in _LOCAL

    def find(self, version: str, path: str) -> File | None:
        """Return the file at a path such as "/" or "/settings.html", or None."""
        if path.endswith("/"):
            path += "index.html"
        return self._files.get(version, {}).get(path)


def _load(folder: Path) -> dict[str, File]:
    names = {
        _FOLDER + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    files = {}
    for name, content in webpages.pack(names).items():
        is_compressed = name.endswith(".gz")
        path = "/" + name[len(_FOLDER) :].removesuffix(".gz")
        suffix = posixpath.splitext(path)[1]
        kind = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        files[path] = File(kind, content, is_compressed)
    return files
