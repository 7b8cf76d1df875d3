"""The tools on Windows, imitated: without the modules and signals that only POSIX systems have."""

import os
import subprocess
import sys

import pytest

from tests.tools.board import images
from tools import ROOT
from tools.ports import free_port

pytestmark = pytest.mark.host

# Runs in the place of `python -m tools`.
IMITATION = """
import asyncio, os, select, signal, socket, sys, time
# These have code of their own for Windows:
import esptool, mpremote.transport_serial, serial.tools.list_ports

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
            raise ModuleNotFoundError("No module named %r" % name, name=name)

for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for name in ("SIGHUP", "SIGKILL", "SIGALRM"):
    delattr(signal, name)
for name in ("fork", "getuid", "geteuid", "killpg", "mkfifo", "setsid", "uname", "openpty", "sync",
             "statvfs", "chown", "ttyname", "pread", "sysconf", "forkpty", "wait3", "getpgid"):
    delattr(os, name)
for name in ("poll", "epoll"):
    delattr(select, name)
del socket.SO_REUSEPORT, time.tzset

def refuse(*arguments):
    raise NotImplementedError

asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = refuse
from tools.cli import main
sys.exit(main())
"""


def run(*arguments, **options):
    command = [sys.executable, "-c", IMITATION, *map(str, arguments)]
    options = {"cwd": ROOT, "text": True, "capture_output": True, "timeout": 60, **options}
    return subprocess.run(command, **options)


# They start virtual boards, or measure them.
POSIX_ONLY = (
    "tools.fleet.demo",
    "tools.fleet.load",
    "tools.fleet.bench",
    "tools.fleet.benchboard",
)


def test_every_module_for_a_real_board_can_be_imported():
    script = IMITATION.replace("from tools.cli import main\nsys.exit(main())", """
import importlib, pkgutil
for package in ("board", "deploy", "certs", "release", "fleet"):
    path = importlib.import_module("tools." + package).__path__
    for module in pkgutil.iter_modules(path, "tools." + package + "."):
        if module.name not in %r and not module.ispkg:
            print(importlib.import_module(module.name).__name__)
""" % (POSIX_ONLY,))  # fmt: skip
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert {"tools.deploy.usb", "tools.deploy.wifi", "tools.release.site"} <= {
        *done.stdout.split()
    }


@pytest.mark.parametrize("command", [["run"], ["fleet"], ["bench-fleet"]])
def test_a_virtual_board_is_refused_in_one_line_with_the_remedy(command):
    done = run(*command)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{command[0]}: the virtual board needs pseudo terminals")
    assert "`wsl --install`" in done.stderr and done.stderr.count("\n") == 1


def test_an_image_is_made_although_no_virtual_board_can_be_started(tmp_path):
    (tmp_path / "stock.bin").write_bytes(images.firmware("esp32c3", 0))
    to = tmp_path / "c3.bin"
    done = run("image", "--chip", "c3", "--firmware", tmp_path / "stock.bin", "--to", to)
    assert done.returncode == 0, done.stderr
    assert "the image was not started: the virtual board cannot run here" in done.stderr
    assert to.is_file()


def test_certificates_settings_and_templates_are_written(tmp_path):
    assert run("certs", "--folder", tmp_path / "certs").returncode == 0
    assert run("config", "--file", tmp_path / "c.json", input="Home\n\n").returncode == 0
    assert run("new", tmp_path / "mine.py").returncode == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"certs", "c.json", "mine.py"}


def test_nothing_depends_on_the_system_s_encoding(tmp_path):
    path = tmp_path / "\u2192.py"  # which cp1252 does not have
    options = {"env": {**os.environ, "PYTHONIOENCODING": "cp1252"}, "encoding": "cp1252"}
    done = run("new", path, **options)
    assert done.returncode == 0 and "?.py is ready" in done.stdout, done.stderr
    strict = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    for command in (["build", "--chip", "c3", "--app", path], ["romfs", "--chip", "c3"]):
        command = [*strict, "-c", IMITATION, *map(str, command), "--to", str(tmp_path / "made")]
        done = subprocess.run(command, cwd=ROOT, encoding="utf-8", capture_output=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", ["boards", "flash", "erase --yes", "deploy", "monitor", "join"]
)
def test_a_command_for_a_board_gets_as_far_as_the_port(command):
    done = run(*command.split(), "--port", "COM3")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "there is no port COM3" in done.stderr


def test_a_gateway_starts_and_ends_with_ctrl_c():
    command = [sys.executable, "-c", IMITATION, "fleet-gateway", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE)
    try:
        assert any(line.startswith("gateway ") for line in process.stderr)
        process.send_signal(2)
        process.communicate(timeout=60)
        assert process.returncode in (0, 130)
    finally:
        process.kill()
        process.communicate()
    several = run("fleet-gateway", "--processes", "2")
    assert "--processes needs SO_REUSEPORT" in several.stderr
