"""What of the repository lands on a board's flash, and where: the one list of it.

The top level of the repository mirrors the flash, so a file's path is the same in both.
"""

from __future__ import annotations

from pathlib import Path

from .failure import Failure

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("boot.py", "main.py")
PAGES = "www"  # what everybody may read
FOLDERS = ("lib", PAGES)
# The board's own: what is there already is kept.
CONFIG = "config.json"
CERTIFICATES = "certs"


def firmware(root: Path = ROOT) -> dict[str, Path]:
    """The files of the firmware, by their paths on the board: {"/lib/demo.py": Path(...)}.

    Failure: a link would have everybody read what is not in www/.
    """
    found = {f"/{name}": root / name for name in PROGRAMS if (root / name).is_file()}
    for folder in FOLDERS:
        found.update(_inside(root, folder))
    return found


def certificates(folder: Path = ROOT / CERTIFICATES) -> dict[str, Path]:
    """The board's key and certificates, by their paths on the board: only *.der are for boards,
    and no authority's or client's key is among them.
    """
    return {f"/{CERTIFICATES}/{path.name}": path for path in sorted(folder.glob("*.der"))}


def _inside(root: Path, folder: str) -> dict[str, Path]:
    found = {}
    for path in sorted((root / folder).rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not _is_left_out(name):
            if folder == PAGES and not path.resolve().is_relative_to((root / PAGES).resolve()):
                raise Failure(
                    f"{name.as_posix()} is a link that leads out of {PAGES}/: everybody could "
                    "read what is there. Put a copy in its place, or remove it"
                )
            found["/" + name.as_posix()] = path
    return found


def _is_left_out(path: Path) -> bool:
    """Caches, what git or an editor keeps, and what was compiled by hand: deploying does that."""
    return path.suffix in (".pyc", ".mpy") or any(
        part.startswith(".") or part == "__pycache__" for part in path.parts
    )
