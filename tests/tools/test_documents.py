"""Every Python example in the documents runs, on MicroPython, with the library as it is.

An example with setup(board) is an application: it gets a board.
"""

import re
import subprocess

import pytest

from tests.faults import figures
from tools import ROOT
from tools.ports import free_port
from tools.virtualboard import find_micropython

# What an example needs to end by itself: ports that are free, and a loop that runs for a moment.
PRELUDE = """
import sys
import time
sys.path.insert(0, {lib!r})
import wsserver


class network:  # the Unix port has none
    AP_IF = AUTH_WPA2_PSK = 0

    def WLAN(self, interface):
        return self

    def active(self, up):
        pass

    def config(self, **values):
        pass


class machine:
    class Pin:
        OUT = 3

        def __init__(self, number, mode):
            pass

        def value(self, level=None):
            return 0


sys.modules["network"] = network()
sys.modules["machine"] = machine


def listen(self, port=80, host="127.0.0.1", *, listen=wsserver.Server.listen):
    listen(self, {port}, "127.0.0.1")


def run(self):
    end = time.ticks_add(time.ticks_ms(), 100)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        self.step(10)
    self.stop()


wsserver.Server.listen = listen
wsserver.Server.run = run
"""
APPLICATION = """
import application

server = wsserver.Server()
board = application.Board(server, {"wifi": {"hostname": "esp32-ws"}})
setup(board)
server.listen(80)
server.run()
"""


def examples():
    """(name, code) of each ```python block. Those with a title are run by tests/docs/."""
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = file.read_text(encoding="utf-8")
        for match in re.finditer(r"^```python\n(.*?)^```", text, flags=re.M | re.S):
            line = text[: match.start()].count("\n") + 1
            yield pytest.param(match.group(1), id=f"{file.name}:{line}")


@pytest.mark.parametrize("code", list(examples()))
def test_an_example_in_the_documents_runs(code, lib, tmp_path):
    program = tmp_path / "example.py"
    if "def setup(board)" in code:
        code += APPLICATION
    program.write_text(PRELUDE.format(lib=str(lib), port=free_port()) + code)
    command = [*find_micropython(), "-X", "heapsize=1m", str(program)]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Traceback" not in done.stdout


def test_there_are_examples_to_run():
    assert len(list(examples())) >= 5


def test_sizes_of_the_heap_with_the_same_result_share_a_row_of_the_table():
    rows = {"12k": ["serves", "5"], "8k": ["stops", ""], "4k": ["stops", ""], "2k": ["stops", ""]}
    content = {"date": "2026-12-01", "commit": "abc", "rows": rows}
    table = figures.text("heap", content).splitlines()
    assert table[-2:] == ["| 12k | serves | 5 |", "| 8k to 2k | stops |  |"]
