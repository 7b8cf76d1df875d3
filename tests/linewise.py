"""A MicroPython program that answers each line on its standard input with a line."""

from __future__ import annotations

import subprocess

from tools.virtualboard import find_micropython


class Linewise:
    """Run a program until it is closed. Use it as a context manager.

    greeting: what the program has printed when it was ready; it begins with "ready".
    """

    def __init__(self, *arguments, heap="4m"):
        """arguments: the program, and its own arguments."""
        command = [*find_micropython(), "-X", f"heapsize={heap}", *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.greeting = self._process.stdout.readline()
        assert self.greeting.startswith("ready"), "the program did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def ask(self, line):
        """Return the answer to a line."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the program died of {line}"
        return answer.rstrip("\n")
