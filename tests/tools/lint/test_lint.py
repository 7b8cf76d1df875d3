"""`make lint` finds planted mistakes, each in a small project."""

import contextlib
import io
import shutil
import subprocess
import sys

import pytest

from tools import ROOT
from tools.lint.checks import lint
from tools.lint.compile import ARCHITECTURES, check_compiles
from tools.lint.types import check_board_types

pytestmark = pytest.mark.host


def make_project(root, files):
    """A project in `root` with the settings of this one, the files given, and blameless ones."""
    shutil.copy(ROOT / "pyproject.toml", root)
    blameless = '"""A module."""\n'
    for name, code in {"lib/a.py": blameless, "tools/a.py": blameless, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return root


@pytest.fixture
def project(tmp_path):
    """project(code) makes a project with this code in lib/planted.py, or in the file named."""
    return lambda code, name="lib/planted.py": make_project(tmp_path, {name: code})


BOARD_MISTAKES = {
    "import socket\n\nprint(socket.MSG_PEEK)\n": "MSG_PEEK",
    "import socket\n\nsocket.socket().getsockopt(1, 2)\n": "getsockopt",
    "import socket\n\n\ndef f():\n    socket.socket().shutdown(2)\n": "shutdown",
    'import os\n\nos.getenv("HOME")\n': "getenv",
    "import dataclasses\n\nprint(dataclasses)\n": "dataclasses",
    "import threading\n\nprint(threading)\n": "threading",
    'print("x".removeprefix("x"))\n': "removeprefix",
    "print((3).bit_length())\n": "bit_length",
    'import time\n\ntime.sleep_ms("3")\n': "sleep_ms",
    "import time\n\nprint(time.ticks())\n": "ticks",
    'import network\n\nnetwork.WLAN(0).confgi(ssid="x")\n': "confgi",
    "import machine\n\nmachine.Pin()\n": "Pin",
    "class A:\n    def __init__(self):\n        self.a = 1\n\n\nprint(A().b)\n": '"b"',
}


@pytest.fixture(scope="module")
def board_findings(tmp_path_factory):
    """Findings of the type check, which is slow, for a module with each mistake."""
    files = {f"lib/planted_{index}.py": code for index, code in enumerate(BOARD_MISTAKES)}
    return check_board_types(make_project(tmp_path_factory.mktemp("mistakes"), files))


@pytest.mark.parametrize("index", range(len(BOARD_MISTAKES)), ids=list(BOARD_MISTAKES.values()))
def test_the_type_check_finds_what_a_chip_does_not_have(board_findings, index):
    findings = [line for line in board_findings if f"lib/planted_{index}.py:" in line]
    assert any(" error: " in line for line in findings)
    assert list(BOARD_MISTAKES.values())[index] in " ".join(findings)


def test_the_type_check_finds_nothing_in_the_stubs_or_in_blameless_modules(board_findings):
    assert [line for line in board_findings if not line.startswith("lib/planted_")] == []


BLAMELESS = """
import machine
import micropython
import network
import socket
import time
from collections import deque


class Later:
    def __init__(self, names):
        self.sock: Anything = None
        self.queue = []
        self.table = {}

    def connect(self) -> None:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.queue.append(self.sock)
        self.table["x"] = deque((), 4, 1)


def answer(text: str) -> bytes:
    body = "%s!" % text
    body = body.encode()
    return b"> " + body


def wait(now: int) -> int:
    return time.ticks_diff(time.ticks_ms(), now)


@micropython.viper
def first(buf: ptr8) -> int:
    return buf[0]


print(wait(time.ticks_ms()), first(bytearray(1)), answer("x"))
network.WLAN(network.WLAN.IF_AP).config(ssid="x")
for entry in network.WLAN(network.WLAN.IF_AP).status("stations"):
    print(entry[0])
machine.Pin(2, machine.Pin.OUT).on()
"""


def test_the_type_check_takes_the_boards_code_as_it_is_written(project):
    assert check_board_types(project(BLAMELESS)) == []


MISTAKES = {
    "tools/argument.py": (
        'def f(number: int) -> int:\n    return number\n\n\nf("one")\n',
        "tools/argument.py:5: error",
    ),
    "lib/unused.py": ("import os\n", "lib/unused.py:1:8: F401"),
    "lib/long.py": (f"x = '{'x' * 100}'\n", "lib/long.py:1:100: E501"),
    "lib/layout.py": ("print( 1 )\n", "lib/layout.py:1:7: unformatted"),
    "lib/default.py": ("def f(a=[]):\n    return a\n", "lib/default.py:1:9: B006"),
    "package.json": ('{"urls": [], "deps": [], "version": "1"}', "package.json is outdated"),
}


@pytest.fixture(scope="module")
def all_findings(tmp_path_factory):
    """What `make lint`, which is slow, prints of a project with all mistakes, and its status."""
    files = {name: code for name, (code, _) in MISTAKES.items()}
    root = make_project(tmp_path_factory.mktemp("lint"), files)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = lint(root)
    return output.getvalue(), status


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(all_findings, name):
    output, status = all_findings
    assert MISTAKES[name][1] in output
    assert status == 1


def test_the_check_that_found_a_mistake_has_failed_and_no_other(all_findings):
    failed = [line for line in all_findings[0].splitlines() if line.endswith(": FAILED")]
    assert failed == [
        "lint: style: FAILED",
        "lint: types of the host side: FAILED",
        "lint: generated files: FAILED",
    ]


def test_a_syntax_error_is_reported_as_one_line_that_names_file_and_line(project):
    lines = check_compiles(project("x = 1\ny = (2,\n"))
    assert len(lines) == len(ARCHITECTURES) + 1
    assert all(line.startswith("lib/planted.py:") for line in lines)
    assert all("SyntaxError: invalid syntax" in line for line in lines)


def test_viper_code_that_does_not_compile_is_found_for_every_chip(project):
    code = "import micropython\n\n\n@micropython.viper\ndef f(a: int):\n    return a.x\n"
    lines = check_compiles(project(code, "lib/wsserver/core/native.py"))
    for cpu in ARCHITECTURES:
        assert f"({cpu}:" in str(lines)


def test_native_code_outside_its_module_is_found(project):
    code = "import micropython\n\n\n@micropython.native\ndef f():\n    return 1\n"
    assert "native code belongs into native.py" in str(check_compiles(project(code)))


def test_code_for_one_cpu_only_is_found(project):
    code = "import micropython\n\n\n@micropython.asm_thumb\ndef f():\n    nop()\n"
    assert "rv32imc" in str(check_compiles(project(code, "lib/wsserver/core/native.py")))


def test_examples_are_checked_like_the_code_that_lands_on_boards(project):
    root = project("import socket\n\nprint(socket.MSG_PEEK)\n", "examples/planted.py")
    assert "examples/planted.py:3" in str(check_board_types(root))
    code = "import micropython\n\n\n@micropython.native\ndef f():\n    pass\n"
    root = project(code, "examples/x.py")
    assert "examples/x.py" in str(check_compiles(root))


def test_a_blameless_project_passes_every_check(project, capsys):
    assert lint(project('"""Nothing wrong here."""\n')) == 0, capsys.readouterr().out


def test_a_command_that_does_not_exist_is_an_error():
    command = [
        sys.executable,
        "-c",
        "from tools import cli; exit(cli.main(['nonsense']))",
    ]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 2
