"""Programs that use the library: short scripts in a MicroPython process, and applications on
virtual boards, with a connection that can send anything.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.virtualboard import find_micropython
from tools.wsclient import RawClient

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


class Peer(RawClient):
    """A TCP connection to a virtual board."""

    def __init__(self, board, port=None, **options):
        super().__init__(port or board.http_port, board.address, timeout=10, **options)

    def get(self, path: str, *headers: str) -> tuple[int, bytes]:
        """Send a GET request and return (status, body); the board closes the connection."""
        lines = "".join(f"{header}\r\n" for header in headers)
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        head, _, body = self.rest().partition(b"\r\n\r\n")
        return int(head.split()[1]), body
