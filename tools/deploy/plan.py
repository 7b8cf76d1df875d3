"""What is on a board, what is to be, and so what is to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

# On the board: the list of what was deployed, so that only that is ever removed.
RECORD = "/deployed.json"
# On the board: a file on its way. One that is found was cut off.
UNFINISHED = "/deploy.new"


@dataclass(frozen=True)
class Found:
    """What is on a board: the SHA-256 of each file, and the paths that were deployed before."""

    hashes: dict[str, str]
    deployed: frozenset[str]

    def lacks(self, wanted: dict[str, bytes]) -> dict[str, bytes]:
        """Those of the wanted files that are not there, or are different."""
        return {
            path: content
            for path, content in wanted.items()
            if self.hashes.get(path) != hashlib.sha256(content).hexdigest()
        }


@dataclass(frozen=True)
class Plan:
    """copy: {path: content}, in the order to copy. remove: paths, once all is copied. record: what
    the list of what was deployed is to be, and record_meanwhile until then: nothing that this or
    an earlier time put there may be forgotten. recorded: whether the list is as it is to be.
    """

    copy: dict[str, bytes]
    remove: list[str]
    record: list[str]
    record_meanwhile: list[str]
    recorded: bool


def make(wanted: dict[str, bytes], found: Found) -> Plan:
    """What makes the board's files the wanted ones.

    Removed is what was deployed and is gone here, a source that would hide its compiled twin (and
    the other way round), and what was cut off; nothing else.
    """
    gone = (found.deployed | twins(wanted) | {UNFINISHED}) - set(wanted)
    return Plan(
        copy=found.lacks(wanted),
        remove=sorted(gone & set(found.hashes)),
        record=sorted(wanted),
        record_meanwhile=sorted(set(wanted) | found.deployed),
        recorded=found.deployed == set(wanted),
    )


def read_record(text: str) -> frozenset[str]:
    """The paths that a record lists; none if it is not one."""
    try:
        return frozenset(path for path in json.loads(text) if isinstance(path, str))
    except (ValueError, TypeError):
        return frozenset()


def folders(paths: list[str]) -> list[str]:
    """All folders that the paths are in, outer ones first."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(found - {"/"}, key=lambda folder: (folder.count("/"), folder))


def twins(paths: Iterable[str]) -> set[str]:
    """What may not be beside modules: their sources or their compiled form."""
    return {_twin(path) for path in paths if path.startswith("/lib/")}


def _twin(path: str) -> str:
    stem, _, suffix = path.rpartition(".")
    return stem + {"py": ".mpy", "mpy": ".py"}.get(suffix, "." + suffix)
