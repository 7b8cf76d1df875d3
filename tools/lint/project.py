"""Find the project's files, and run a tool on them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import ROOT


def board_files(root: Path = ROOT) -> list[Path]:
    """Return every Python file for boards, including the examples, sorted by name."""
    files = [root / name for name in ("boot.py", "main.py") if (root / name).exists()]
    folders = (root / "lib", root / "examples")
    return files + [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def run(command: str, root: Path, *more: str) -> list[str]:
    """Run a Python tool in `root` and return its output's lines if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), *more],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if not done.returncode:
        return []
    return done.stdout.strip().splitlines() or [f"{command} ended with {done.returncode}"]
