"""Download the newest stable MicroPython for a board into firmware/.

A download page of MicroPython's site links each image as
/resources/firmware/BUILD-20250415-v1.25.0.bin; previews have more after the version.
"""

from __future__ import annotations

import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from tools import HOME
from tools.failure import Failure, warn

from . import image
from .table import Board

FOLDER = HOME / "firmware"
SITE = "https://micropython.org/"
_TIMEOUT = 20  # seconds without an answer
_MOST_BYTES = 16 << 20  # no flash is larger


def newest(
    board: Board, folder: Path = FOLDER, site: str = SITE, log: Callable[[str], None] = print
) -> Path:
    """Return the newest image, after downloading and checking it if `folder` lacks it.

    Without a network it is the newest image in `folder`. Raises Failure if there is none.
    """
    page = urljoin(site, f"download/{board.build.partition('-')[0]}/")
    kept = _newest(board, [path.name for path in folder.glob("*.bin")])
    try:
        links = re.findall(r'href="([^"]+\.bin)"', _get(page).decode(errors="replace"))
        name = _newest(board, [link.rpartition("/")[2] for link in links])
        if not name:
            raise Failure(f"{page} lists no stable {board.build} of {board.least} or newer")
        if name != kept:
            link = next(link for link in links if link.rpartition("/")[2] == name)
            _fetch(urljoin(page, link), folder / name, board, log)
        return folder / name
    except (OSError, Failure) as error:
        reason = getattr(error, "reason", None) or error
        if kept:
            warn(f"could not look for a newer MicroPython ({reason}): using {kept}")
            return folder / kept
        raise Failure(
            f"MicroPython could not be fetched ({reason}). Download the newest "
            f"{board.build}-...-v....bin from {page} and put it into {folder}, "
            "or name it: FIRMWARE=file.bin"
        ) from None


def kept(board: Board, folder: Path = FOLDER) -> Path:
    """Return the newest image in a folder, without a network. Raises Failure if there is none."""
    name = _newest(board, [path.name for path in folder.glob("*.bin")])
    if not name:
        raise Failure(f"{folder} has no {board.build}-...-v....bin of {board.least} or newer")
    return folder / name


def version_of(name: str) -> tuple[int, ...]:
    """Return the version in an image's file name.

    Raises ValueError if it has none, or if it is not a stable release.
    """
    found = re.fullmatch(r".*-v(\d+)\.(\d+)(?:\.(\d+))?\.bin", name)
    if not found:
        raise ValueError(name)
    return tuple(int(part or 0) for part in found.groups())


def _newest(board: Board, names: list[str]) -> str | None:
    pattern = re.escape(board.build) + r"-\d{8}-v[\d.]+\.bin"
    least = tuple(int(part) for part in board.least.split("."))
    fitting = [name for name in names if re.fullmatch(pattern, name)]
    fitting = [name for name in fitting if version_of(name) >= least]
    return max(fitting, key=lambda name: (version_of(name), name), default=None)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        return answer.read(_MOST_BYTES)


def _fetch(url: str, target: Path, board: Board, log: Callable[[str], None]) -> None:
    """Download an image, check it, and only then give it its name."""
    log(f"fetching {url}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetched-", dir=target.parent) as folder:
        fresh = Path(folder, target.name)
        fresh.write_bytes(_get(url))
        image.check(fresh, board, board.chip)
        fresh.replace(target)
