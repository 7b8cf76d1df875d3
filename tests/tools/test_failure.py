"""Texts name commands and options as the installation has them."""

import os
import subprocess
import sys

import pytest

from tests.tools.commands import run
from tools import ROOT
from tools.cli import commands
from tools.failure import spelled, variable_of

pytestmark = pytest.mark.host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`make new APP=fan.py` writes one", "`esp32-ws new fan.py` writes one"),
        ("APP=fan does not exist; did you mean APP=fan.py?", None),
        ("Next: make flash PORT=/dev/tty0", "Next: esp32-ws flash --port /dev/tty0"),
        ("CERTS=1: make certs makes them", "--certs: esp32-ws certs makes them"),
        ("make image CHIP=... makes one", "esp32-ws image --chip ... makes one"),
        ("PORT= names a port.", "--port names a port."),
        ("make HTTP_PORT=1 of X=2, BOARD=3", "make --http-port 1 of X=2, BOARD=3"),
        ("start it (docs/tls.md#a-key).", "start it (`esp32-ws manual tls`)."),
        ("see [docs/api.md](docs/api.md)", "see [`esp32-ws manual api`](docs/api.md)"),
        ("make a new one; it makes sense", "make a new one; it makes sense"),
    ],
)
def test_the_installed_package_has_its_command_in_place_of_make(text, expected):
    assert spelled(text, for_make=True) == text
    app = "--app fan does not exist; did you mean --app fan.py?"
    assert spelled(text, for_make=False) == (expected or app)


@pytest.mark.parametrize(
    ("command", "option", "variable"),
    [
        ("run", "--http-port", "HTTP_PORT"),
        ("fleet", "--port", "GATEWAY_PORT"),
        ("monitor", "--port", "PORT"),
        ("flash", "--config", "CONFIG"),
        ("image", "--flash-size", "FLASH"),
        ("certs", "--key", "KEY"),
        ("fuzz", "--minutes", "MINUTES"),
        ("bench", "--rounds", "ROUNDS"),
        ("bench", "--word", "WORD"),
        ("run", "--sockets", ""),
        ("bench-fleet", "--boards", ""),
    ],
)
def test_the_variable_of_an_option_is_found_in_the_makefile(command, option, variable):
    assert option in {name for one in commands.commands[command].params for name in one.opts}
    assert variable_of(command, option) == variable


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("run HTTP_PORT=abc", "run: Invalid value for HTTP_PORT= (--http-port): 'abc' is not"),
        ("fleet GATEWAY_PORT=0", "fleet: Invalid value for GATEWAY_PORT= (--port): 0 is not"),
        ("certs KEY=dsa", "certs: Invalid value for KEY= (--key): 'dsa' is not one of"),
    ],
)
def test_a_wrong_value_is_reported_with_the_variable_of_make(wrong, line):
    # Not `make` itself, which would set up everything that its targets need.
    command, _, value = wrong.partition(" ")
    name, _, value = value.partition("=")
    option = "--port" if name == "GATEWAY_PORT" else "--" + name.lower().replace("_", "-")
    environment = {**os.environ, "MAKELEVEL": "1"}
    status, _, errors = run(command, option, value, env=environment)
    assert status == 2
    assert errors.startswith(line)
    assert errors.count("\n") == 1


def test_without_make_a_wrong_value_is_reported_with_the_option():
    environment = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    status, _, errors = run("run", "--http-port", "abc", env=environment)
    assert status == 2
    assert "Invalid value for '--http-port': 'abc'" in errors


@pytest.mark.parametrize("module", ["tools", "tools.release.package"])
def test_ctrl_c_while_modules_are_imported_prints_no_traceback(tmp_path, module):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (130, "")
