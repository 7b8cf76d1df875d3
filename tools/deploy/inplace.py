"""Firmware that deploying cannot replace: frozen into MicroPython, or in a ROMFS.

MicroPython searches frozen modules first, then a ROMFS, then /lib, and takes a whole package from
the first place that has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools import ROOT

from .files import version

_ROMFS = 1  # as lib/wsserver/inplace.py has it
_PACKAGE = "admin"  # the firmware's modules outside of packages lie where it does
_HOW = {
    True: "in its ROMFS, so lib/ is not sent: `make romfs CHIP=...` makes a new one "
    "(docs/install.md, ROMFS)",
    False: "frozen into its MicroPython, so lib/ is not sent: build and flash a new image to "
    "update it (docs/install.md, Frozen into the firmware)",
}

# Runs on the board, at its prompt. Packages have little in their own __init__.py. One that does
# not load is in /lib: repair it.
ASK = """
import sys
_found = {}
for _name in %r:
    try:
        _path = __import__(_name).__path__
        _level = 2 if _path.startswith(".frozen/") else 1 if _path.startswith("/rom/") else 0
        if _level:
            _found[_name] = _level
    except Exception:
        pass
print(repr((_found, getattr(sys.modules.get("wsserver"), "__version__", ""))))
"""


@dataclass(frozen=True)
class InPlace:
    """What a board has in place. packages: {name: 1 in a ROMFS, 2 frozen}. version: its own."""

    packages: dict[str, int]
    version: str

    def has(self, path: str) -> bool:
        """Return whether a file of lib/ would be hidden. path: on the board."""
        folder, _, rest = path.lstrip("/").partition("/")
        name, _, inside = rest.partition("/")
        return folder == "lib" and (name if inside else _PACKAGE) in self.packages

    def differs(self, root: Path) -> bool:
        """Return whether it is another version than the one in `root`."""
        return bool(self.packages) and self.version != version(root)

    def notes(self, root: Path) -> list[str]:
        """Return what to tell the user: where the firmware lies, and how it is updated."""
        if not self.packages:
            return []
        where = _HOW[_ROMFS in self.packages.values()]
        notes = [f"the board has firmware {self.version} {where}"]
        if self.differs(root):
            notes.append(
                f"this is firmware {version(root)}: boot.py and main.py of the board are kept, "
                "and pages may not fit its version"
            )
        return notes


def packages() -> tuple[str, ...]:
    """Return the names of the firmware's packages."""
    return tuple(sorted(path.name for path in (ROOT / "lib").glob("[!.]*") if path.is_dir()))
