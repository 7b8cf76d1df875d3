"""Versions: semantic ones in wsserver.__version__, and CHANGELOG.md in Keep a Changelog's form."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from tools import ROOT
from tools.failure import Failure

_FILE = "CHANGELOG.md"
_LIBRARY = "lib/wsserver/__init__.py"
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.M)
# Semantic Versioning 2.0.0, without build metadata.
_SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?")
_HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.M)
_UNRELEASED = "Unreleased"


def version(root: Path = ROOT) -> str:
    """Return the project's version. Raises Failure if it is not a semantic one."""
    found = _VERSION.search((root / _LIBRARY).read_text(encoding="utf-8"))
    if not found or not _SEMANTIC.fullmatch(found[1]):
        raise Failure(f"{_LIBRARY}: __version__ must be a semantic version such as 0.3.0")
    return found[1]


def notes(wanted: str, root: Path = ROOT) -> str:
    """Return the section of a version in CHANGELOG.md, without its heading.

    Raises Failure if there is none, or if it has no date.
    """
    text = (root / _FILE).read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    for index, heading in enumerate(headings):
        if heading[1] == wanted:
            if not heading[2] and wanted != _UNRELEASED:
                raise Failure(f"{_FILE}: the section [{wanted}] has no date")
            end = headings[index + 1].start() if index + 1 < len(headings) else len(text)
            return text[heading.end() : end].strip()
    raise Failure(f"{_FILE} has no section [{wanted}]: make release VERSION={wanted} adds it")


def bump(wanted: str, today: date, root: Path = ROOT) -> None:
    """Set the version, and turn the section Unreleased of CHANGELOG.md into that of the version.

    Raises Failure if it is not a later semantic version, or if nothing is unreleased.
    """
    if not _SEMANTIC.fullmatch(wanted):
        raise Failure(f"VERSION={wanted} is not a semantic version such as 0.3.0")
    if _key(wanted) <= _key(version(root)):
        raise Failure(f"VERSION={wanted} must be later than {version(root)}")
    if not notes(_UNRELEASED, root):
        raise Failure(f"{_FILE}: nothing is unreleased")
    library = root / _LIBRARY
    text = library.read_text(encoding="utf-8")
    library.write_text(_VERSION.sub(f'__version__ = "{wanted}"', text), encoding="utf-8")
    file = root / _FILE
    text = file.read_text(encoding="utf-8")
    heading = f"## [{_UNRELEASED}]\n\n## [{wanted}] - {today.isoformat()}"
    file.write_text(text.replace(f"## [{_UNRELEASED}]", heading, 1), encoding="utf-8")


def _key(text: str) -> tuple[int, int, int, bool, str]:
    """Return what orders versions: a pre-release comes before its release."""
    found = _SEMANTIC.fullmatch(text)
    assert found
    major, minor, patch = (int(part) for part in found.groups()[:3])
    return major, minor, patch, not found[4], found[4] or ""
