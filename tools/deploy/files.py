"""List the repository's files that belong on a board's flash.

The top level of the repository mirrors the flash, so a file's path is the same in both.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tools import HOME, ROOT
from tools.failure import Failure

PROGRAMS = ("boot.py", "main.py")
PAGES = "www"  # the only folder that is served
FOLDERS = ("lib", PAGES)
APPLICATION = "app"
# The user's files: deploying keeps those that a board has.
CONFIG = "config.json"
CERTIFICATES = "certs"
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.M)


def version(root: Path = ROOT) -> str:
    """Return wsserver.__version__, "" for a tree without the library."""
    file = root / "lib" / "wsserver" / "__init__.py"
    found = file.exists() and _VERSION.search(file.read_text(encoding="utf-8"))
    return found[1] if found else ""


def firmware(root: Path = ROOT) -> dict[str, Path]:
    """Return the firmware's files by their paths on the board: {"/lib/startup.py": Path(...)}.

    Raises Failure if a link in www/ leads out of it: the board would publish its target.
    """
    found = {f"/{name}": root / name for name in PROGRAMS if (root / name).is_file()}
    for folder in FOLDERS:
        found.update(_inside(root, folder))
    return found


def certificates(folder: Path = HOME / CERTIFICATES) -> dict[str, Path]:
    """Return the board's key and certificates by their paths on the board.

    Only *.der files are for boards. No authority's or client's key is among them.
    """
    return {f"/{CERTIFICATES}/{path.name}": path for path in sorted(folder.glob("*.der"))}


def _inside(root: Path, folder: str) -> dict[str, Path]:
    found = {}
    for path in sorted((root / folder).rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not is_left_out(name) and not _is_docstring(path):
            if folder == PAGES and not path.resolve().is_relative_to((root / PAGES).resolve()):
                raise Failure(
                    f"{name.as_posix()} is a link that leads out of {PAGES}/, so the board would "
                    "publish its target. Replace it by a copy, or remove it"
                )
            found["/" + name.as_posix()] = path
    return found


def is_left_out(path: Path) -> bool:
    """Return whether a file is a cache, hidden, or compiled by hand."""
    return path.suffix in (".pyc", ".mpy") or any(
        part.startswith(".") or part == "__pycache__" for part in path.parts
    )


def _is_docstring(path: Path) -> bool:
    """Return whether a package's __init__.py has nothing but a docstring.

    MicroPython imports a folder without the file, which would cost a board an access to its flash
    and 80 bytes of its heap.
    """
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_bytes()).body
    return all(isinstance(node, ast.Expr) for node in body)
