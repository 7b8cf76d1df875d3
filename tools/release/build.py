"""Build the wheel of the host tools."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import HOME, ROOT
from tools.failure import Failure

FOLDER = HOME / "build" / "release"


def wheel(folder: Path = FOLDER, root: Path = ROOT) -> Path:
    """Build the wheel into a folder and return its path. Needs no network.

    Raises Failure if it cannot be built.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=root, encoding="utf-8", errors="replace", capture_output=True
    )
    built = sorted(folder.glob("*.whl"))
    if done.returncode or len(built) != 1:
        raise Failure(f"the wheel cannot be built: {(done.stderr or done.stdout).strip()}")
    return built[0]
