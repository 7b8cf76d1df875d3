"""`make run` ends when it is told to and leaves nothing behind."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tools import ROOT

pytestmark = pytest.mark.host

# Replaces the virtual board: runs until it is stopped and reports that it stopped.
PROGRAM = """
import signal, sys, time
from tools import cli

def stop(number, frame):
    print("stopped", flush=True)
    sys.exit(0)

def run(**options):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print("pid", __import__("os").getpid(), options["main"], flush=True)
    while True:
        time.sleep(0.05)

import tools.virtualboard.cli
tools.virtualboard.cli.run = run
sys.exit(cli.main())
"""


@pytest.fixture
def make(tmp_path):
    """make(**options) starts `make run` with PROGRAM, in a process group of its own."""
    (tmp_path / "program.py").write_text(PROGRAM)
    recipe = f"run:\n\t@exec {shlex.quote(sys.executable)} program.py run --main 'a b'\n"
    (tmp_path / "Makefile").write_text(recipe)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = []

    def start(**options):
        command = ["make", "-s", "-C", str(tmp_path), "run"]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
        process = subprocess.Popen(command, env=environment, start_new_session=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def first_line(process):
    words = process.stdout.readline().split()
    assert words[0] == b"pid"
    return int(words[1]), words[2:]


def is_gone(pid, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_arguments_reach_the_program_unchanged(make):
    assert first_line(make())[1] == [b"a", b"b"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_program_ends_make_with_status_0(make, number):
    process = make()
    os.kill(first_line(process)[0], number)
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_process_group_stops_the_program_in_order(make, number):
    process = make()
    pid, _ = first_line(process)
    os.killpg(process.pid, number)
    assert b"stopped" in process.communicate(timeout=60)[0]
    assert is_gone(pid)


def test_sigterm_to_make_alone_stops_the_program_in_order(make):
    process = make()
    pid, _ = first_line(process)
    process.terminate()
    assert b"stopped" in process.communicate(timeout=60)[0]
    assert is_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a parent's death")
def test_the_program_does_not_outlive_a_make_that_was_killed(make):
    process = make()
    pid, _ = first_line(process)
    process.kill()
    assert b"stopped" in process.communicate(timeout=60)[0]
    assert is_gone(pid)


@pytest.fixture
def terminal(make):
    """Start make in a terminal: (process, the terminal's other end, the program's pid)."""
    ours, theirs = pty.openpty()

    def own_it():
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = make(stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=own_it)
    os.close(theirs)
    output = b""
    while b"pid" not in output or not output.endswith(b"\n"):
        output += os.read(ours, 1000)
    yield process, ours, int(output.split()[1])
    os.close(ours)


def test_ctrl_c_in_a_terminal_ends_both_quietly(terminal):
    process, keyboard, pid = terminal
    os.write(keyboard, b"\x03")
    assert process.wait(timeout=60) == -signal.SIGINT, "a shell reports 130 for it"
    assert is_gone(pid)
    assert os.read(keyboard, 1000).replace(b"\r\n", b"\n") == b"^Cstopped\n"


def test_the_program_ends_when_its_terminal_is_closed(terminal):
    process, _, pid = terminal
    os.kill(pid, signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    assert is_gone(pid)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["test", "JOBS=x"], "test: JOBS=x is no number of test files to run at the same time"),
        (["test", "JOBS="], "test: JOBS= is no number of test files to run at the same time"),
        (["flash", "CONFIG=no.json"], "add IMAGE=1, or give them to `make deploy` after"),
        (["flash", "CERTS=1"], "add IMAGE=1, or give them to `make deploy` after"),
    ],
)
def test_a_variable_that_would_have_no_effect_is_refused(arguments, problem):
    command = ["make", "-o", ".venv/.ready", *arguments]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert problem in done.stderr


def test_a_misspelt_variable_is_refused_with_the_known_ones():
    command = ["make", "-n", "-o", ".venv/.ready", "deploy", "PORT=x"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*command, "CHPI=c3"], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 2
    assert "unknown variable CHPI. `make` lists those of each target." in done.stderr
    used = set(re.findall(r"\$\((?:call \w+,)?([A-Z_]{3,})[,)]", (ROOT / "Makefile").read_text()))
    inner = {"READY", "TOOLS", "TESTS", "BIN", "CONTENT", "COMMANDS", "CHIP_TESTS", "VARIABLES"}
    known = set(done.stderr.split("Known are ")[1].replace(".", " ").split())
    assert used - inner - {"MAKEFILE_LIST", "UNKNOWN"} <= known
