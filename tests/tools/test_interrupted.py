"""Ctrl-C, a pulled cable and a file that cannot be written: what happened, and what to do."""

import os
import subprocess
import sys

import pytest
from esp32_mock_bootloader.api import mock_bootloader

from tests.tools import commands
from tests.tools.board import images
from tools import ROOT, output
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

pytestmark = pytest.mark.host

PASSWORD = "correct horse"
CONFIG = {"broadcast": {"interval": 0}, "admin": {"password": PASSWORD}}


def start(*arguments, **environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return commands.start(*arguments, env={**os.environ, **environment}, **pipes)


def interrupted(process, when):
    """(exit status, the last line) of a command that gets Ctrl-C when it prints `when`."""
    for line in process.stdout:
        if when in line:
            process.send_signal(2)
            break
    else:
        raise AssertionError(process.stderr.read())
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.strip()


def abandoned(process, board):
    """The line of error of a deployment whose board goes away while it is sent to."""
    for line in process.stdout:
        if "[1/1] /app/app.mpy" in line:
            board.stop()
            break
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert errors.count("\n") == 1
    return errors


@pytest.fixture
def app(tmp_path):
    """An application that takes a second to copy."""
    path = tmp_path / "garden.py"
    lines = "".join(f'    "{number:05} {os.urandom(20).hex()}"\n' for number in range(1500))
    path.write_text(f'"""Garden."""\n\nTEXT = (\n{lines})\n\n\ndef setup(board):\n    pass\n')
    return path


@pytest.fixture
def board():
    with VirtualBoard(config=CONFIG, heap="512k") as board:
        board.wait_ready()
        yield board


def test_ctrl_c_while_a_port_is_used_names_the_remedy(board, app):
    process = start("deploy", "--port", board.serial, "--app", app)
    status, text = interrupted(process, "[1/1] /app/app.mpy")
    assert status == 130
    assert text == (
        f"deploy: {board.serial}: interrupted. The board's program is stopped, and what was being "
        f"copied is incomplete: run this again, or make reset PORT={board.serial}"
    )
    again = start("deploy", "--port", board.serial, "--app", app)
    assert "ready: http://" in again.communicate(timeout=60)[0]


def test_ctrl_c_while_the_board_starts_is_quiet(board):
    process = start("deploy", "--port", board.serial)
    status, text = interrupted(process, "restarting; the board's output:")
    assert (status, text) == (130, "")


def test_ctrl_c_during_an_update_tells_what_the_board_keeps(board, app):
    host = board.http_url.split("/")[2]
    arguments = ("deploy", "--host", host, "--app", app)
    status, text = interrupted(start(*arguments, ADMIN_PASSWORD=PASSWORD), "[1/1] /app/app.mpy")
    assert status == 130
    assert text == "deploy: interrupted. The board keeps its version: run this again"
    status, text = interrupted(start(*arguments, ADMIN_PASSWORD=PASSWORD), "restarting")
    assert status == 130
    assert text == (
        "deploy: interrupted. The board installs the new version, and rolls back unless it is "
        "confirmed within three minutes: run this again to confirm it"
    )
    board.wait_for_log("update: trial-1")
    board.wait_ready()


def test_a_board_that_goes_away_during_an_update_is_told(board, app):
    host = board.http_url.split("/")[2]
    process = start("deploy", "--host", host, "--app", app, ADMIN_PASSWORD=PASSWORD)
    assert abandoned(process, board).endswith(". The board keeps its version: run this again\n")


def test_a_cable_that_is_pulled_is_told_with_the_remedy(board, app):
    process = start("deploy", "--port", board.serial, "--app", app)
    errors = abandoned(process, board)
    assert errors.startswith(f"deploy: {board.serial}: the board stopped answering (")
    assert errors.endswith(
        "check its cable and power, press its RESET button, and run this again\n"
    )


def test_a_backup_that_is_cut_off_is_named_so_and_the_board_serves(board, tmp_path):
    process = start("backup", "--port", board.serial, "--to", tmp_path)
    status, text = interrupted(process, "/main.py")
    assert (status, text) == (
        130,
        "backup: interrupted: the backup is incomplete, the board restarts",
    )
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-incomplete")
    board.wait_ready()
    (tmp_path / "file").touch()
    done = start("backup", "--port", board.serial, "--to", tmp_path / "file")
    errors = done.communicate(timeout=60)[1]
    assert errors.startswith(f"backup: {tmp_path}/file") and errors.count("\n") == 1
    board.wait_ready()


@pytest.mark.parametrize("when", ["Eras", "Writing at"])
def test_ctrl_c_while_a_chip_is_written_names_the_remedy(tmp_path, when):
    file = tmp_path / "c3.bin"
    stock = images.firmware("esp32c3", 0)
    file.write_bytes(stock[:0x10000] + images.part("esp32c3", os.urandom(1_500_000)))
    chip = mock_bootloader("esp32c3")
    try:
        command = ("flash", "--port", chip.url(), "--firmware", file, "--wait", 0)
        process = start(*command)
        seen = ""
        while when not in seen:  # its bar of progress has no line ends
            piece = process.stdout.read(1)
            assert piece, seen + process.stderr.read()
            seen += piece
        process.send_signal(2)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert errors.strip() == (
            f"flash: {chip.url()}: interrupted. The chip has no complete firmware now: "
            "run this again"
        )
        again = start(*command)
        assert again.communicate(timeout=200)[0].endswith("written and verified\n")
    finally:
        chip.stop()


@pytest.mark.parametrize(
    ("command", "option"), [("image", "--to"), ("romfs", "--to"), ("build", "--to")]
)
def test_a_file_that_cannot_be_written_is_an_error_of_one_line(tmp_path, command, option):
    stock = tmp_path / "stock.bin"
    stock.write_bytes(images.firmware("esp32c3", 0))
    more = ("--no-boot", "--firmware", stock) if command == "image" else ()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    for target, reason in (
        (tmp_path / "folder", "is no file: name one that does not exist yet, or an older one"),
        (stock / "x.bin", "cannot be written: "),
    ):
        done = start(command, "--chip", "c3", *more, option, target)
        errors = done.communicate(timeout=60)[1]
        assert errors.startswith(f"{command}: {target} {reason}") and errors.count("\n") == 1
        assert done.returncode == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_is_complete_or_not_there(tmp_path):
    path = tmp_path / "image.bin"
    path.write_bytes(b"old")

    def check(file):
        assert file.read_bytes() == b"new"
        raise Failure("damaged")

    with pytest.raises(Failure, match="damaged"):
        output.write(path, b"new", check)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
    output.write(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"new"]


def test_other_errors_with_files_are_one_line(tmp_path):
    (tmp_path / "build").write_text("a file in the way")
    command = [sys.executable, "-m", "tools.release.package", "package", "https://example.org"]
    script = (
        "import sys; from tools import cli; import tools.deploy.package as p;"
        "from pathlib import Path; p.FOLDER = Path('build/mip');"
        "p.publish.__defaults__ = (p.FOLDER, *p.publish.__defaults__[1:]);"
        "sys.exit(cli.main(['package', 'https://example.org']))"
    )
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("package: build/mip") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("garden.py", "garden.py"),
        ("Gärten/a.py", "Gärten/a.py"),
        ("my garden.py", '"my garden.py"'),
        ("C:\\My Files\\a.py", '"C:\\My Files\\a.py"'),
        ("a$b.py", "'a$b.py'"),
        ("", '""'),
    ],
)
def test_a_path_is_quoted_where_a_shell_would_divide_it(path, expected):
    assert output.quoted(path) == expected
