"""Texts name commands and options as the installation has them."""

import os
import subprocess
import sys

import pytest

from tools import ROOT
from tools.failure import spelled

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


@pytest.mark.parametrize("module", ["tools", "tools.release.package"])
def test_ctrl_c_while_modules_are_imported_prints_no_traceback(tmp_path, module):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (130, "")
