"""Print the progress of a deployment."""

from __future__ import annotations

import sys


class Progress:
    """Print one line for each file; in a terminal it counts up to 100 %."""

    def __init__(self, paths: list[str]):
        self._paths = paths

    def __call__(self, path: str, done: int, size: int) -> None:
        if path not in self._paths:
            return
        number = f"[{self._paths.index(path) + 1}/{len(self._paths)}]"
        line = f"  {number} {path} {size / 1024:.1f} KB"
        if sys.stdout.isatty():
            end = "\n" if done == size else ""
            print(f"\r{line} {100 * done // max(size, 1):3} %", end=end, flush=True)
        elif done == 0:
            print(line, flush=True)
