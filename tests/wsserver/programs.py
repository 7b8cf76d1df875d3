"""Programs that use the library: short scripts in a MicroPython process, and the beginning of
applications on virtual boards.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.virtualboard import find_micropython

# The beginning of many applications.
ECHO = """
from wsserver import Server


def log(level, text):
    print("[%d] %s" % (level, text))


class Echo:
    def on_message(self, client, message):
        client.send(message)
"""


# For tests of times: MODULE is the one of wsserver.http whose clock the script sets.
CLOCK = """
from wsserver.http import MODULE
from wsserver.http.request import HTTPError, parse_request

now = 800000000  # seconds or ms
MODULE.ticks_ms = MODULE.time = lambda: now


def status(function, *args):
    try:
        function(*args)
        return 200
    except HTTPError as error:
        return error.status


def statuses(function, count, *args):
    return [status(function, *args) for _ in range(count)]


"""


def run_script(lib: Path, source: str, folder: Path, seconds: float = 30, heap: str = "4m") -> str:
    """Run a script that finds the library in `lib`, and return what it prints.

    Raises AssertionError if it ends with an exception.
    """
    script = folder / "script.py"
    script.write_text(source)
    start = f"import sys; sys.path[:] = [{str(folder)!r}, {str(lib)!r}, '.frozen']; import script"
    process = subprocess.run(
        [*find_micropython(), "-X", f"heapsize={heap}", "-c", start],
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=folder,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    return process.stdout
