"""Where things are, and the error that every check reports with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class LintError(Exception):
    """A check found something. The text is what a person reads: one finding a line."""


def board_files(root: Path = ROOT) -> list[Path]:
    """Every Python file that lands on a board, or may, as the examples, in the order of their
    names.
    """
    files = [root / name for name in ("boot.py", "main.py") if (root / name).exists()]
    folders = (root / "lib", root / "examples")
    return files + [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def run(*arguments: str, root: Path = ROOT) -> None:
    """Run a Python tool in `root`. LintError, with what it printed: it found something."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise LintError(
            done.stdout.strip() or f"{arguments[0]} ended with status {done.returncode}"
        )
