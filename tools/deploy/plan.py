"""Compare a board's files with the wanted ones and plan the changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from tools.failure import Failure

# On the board: the list of deployed files. Only these are ever removed.
RECORD = "/deployed.json"
# On the board: the file that is being written. One that is found was cut off.
UNFINISHED = "/deploy.new"
# littlefs on the board. A folder takes two blocks, and two more for further files.
_BLOCK = 4096  # bytes: the unit of the flash
_CONTENT = 4080  # bytes of content in a block, which begins with pointers to others
_ENTRIES = 20  # files for each block of a folder


@dataclass(frozen=True)
class Found:
    """A board's files.

    hashes: {path: SHA-256}, or another text if the file has not the wanted size. deployed: the
    paths that were deployed before.
    """

    hashes: dict[str, str]
    deployed: frozenset[str]

    def lacks(self, wanted: dict[str, bytes]) -> dict[str, bytes]:
        """Return the wanted files that the board does not have, or has with other content."""
        return {
            path: content
            for path, content in wanted.items()
            if self.hashes.get(path) != hashlib.sha256(content).hexdigest()
        }

    def below(self, folder: str) -> frozenset[str]:
        """Return the deployed files below a folder."""
        return frozenset(path for path in self.deployed if path.startswith(folder))

    def differ(self, ours: dict[str, bytes]) -> dict[str, bytes]:
        """Return those of our files that the board has with other content."""
        return {path: data for path, data in self.lacks(ours).items() if path in self.hashes}


@dataclass(frozen=True)
class Plan:
    """Changes to a board's files.

    copy: {path: content}, in this order. remove: paths, after copying. record: the new list of
    deployed files. record_meanwhile: the list until then, which also has the old one's paths.
    recorded: whether the board has the new list.
    """

    copy: dict[str, bytes]
    remove: list[str]
    record: list[str]
    record_meanwhile: list[str]
    recorded: bool


def make(
    wanted: dict[str, bytes],
    found: Found,
    keep: frozenset[str] = frozenset(),
    remove: frozenset[str] = frozenset(),
) -> Plan:
    """Plan how the board's files become the wanted ones. keep: deployed files that stay.

    It removes deployed files that are not wanted any more, a source beside its compiled file (it
    would hide it, or the other way round), a file that was cut off, and those in `remove` that are
    not wanted; nothing else.
    """
    gone = (found.deployed | twins(wanted) | {UNFINISHED} | remove) - set(wanted) - keep
    record = set(wanted) | keep
    return Plan(
        copy=found.lacks(wanted),
        remove=sorted(gone & set(found.hashes)),
        record=sorted(record),
        record_meanwhile=sorted(record | found.deployed),
        recorded=found.deployed == record,
    )


def read_record(text: str) -> frozenset[str]:
    """Return the paths in a list of deployed files, or none if it is not one."""
    try:
        return frozenset(path for path in json.loads(text) if isinstance(path, str))
    except (ValueError, TypeError):
        return frozenset()


def folders(paths: list[str]) -> list[str]:
    """Return all folders of the paths, outer ones first."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(found - {"/"}, key=lambda folder: (folder.count("/"), folder))


def twins(paths: Iterable[str]) -> set[str]:
    """Return the paths that may not exist beside modules: their source or compiled form."""
    return {_twin(path) for path in paths if path.startswith(("/lib/", "/app/"))}


def _twin(path: str) -> str:
    stem, _, suffix = path.rpartition(".")
    return stem + {"py": ".mpy", "mpy": ".py"}.get(suffix, "." + suffix)


def check_space(todo: Plan, free: int) -> None:
    """Raise Failure if the flash, with `free` bytes, has no space for the plan's files."""
    blocks = sum(len(content) // _CONTENT + 1 for content in todo.copy.values())
    blocks += len(todo.copy) // _ENTRIES + 2 * len(folders(list(todo.copy)))
    needed = blocks * _BLOCK
    if needed > free:
        raise Failure(
            f"the board's flash has {free // 1024} KB free, and up to {needed // 1024} KB are "
            "needed: remove files of your own from it, or erase it (make flash)"
        )
