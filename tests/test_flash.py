"""make boards, flash and erase: the real esptool against a stand-in for a chip's boot loader."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import serial
from esp32_mock_bootloader.api import mock_bootloader

from tools.boards.flash import await_prompt
from tools.failure import Failure

from . import images

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {
    "flash": ["tools.boards", "flash"],
    "boards": ["tools.boards", "boards"],
    "erase": ["tools.boards", "erase", "--yes"],
    "deploy": ["tools.deploy"],
    "monitor": ["tools.serialport", "monitor"],
    "repl": ["tools.serialport", "repl"],
    "reset": ["tools.serialport", "reset"],
    "backup": ["tools.serialport", "backup"],
}


def run(tool, *arguments, prefix=()):
    """(exit status, what it printed, what it said of errors) of a tool."""
    command = [*prefix, sys.executable, "-m", *TOOLS[tool], *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout, done.stderr


def only_line(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


@pytest.fixture(scope="module")
def chip():
    """chip(name) -> the port of a chip of that kind."""
    running = {}

    def start(name):
        if name not in running:
            running[name] = mock_bootloader(name)
        return running[name].url()

    yield start
    with ThreadPoolExecutor() as pool:  # each takes a second
        list(pool.map(lambda mock: mock.stop(), running.values()))


@pytest.fixture
def firmware(tmp_path):
    """firmware(chip, offset) -> a file with an image."""

    def make(name, offset):
        file = tmp_path / f"{name}.bin"
        file.write_bytes(images.firmware(name, offset))
        return file

    return make


# --- flashing


@pytest.mark.parametrize(
    ("name", "offset"), [("esp32", 0x1000), ("esp32s3", 0x0), ("esp32c3", 0x0)]
)
def test_a_chip_is_detected_erased_written_and_verified(chip, firmware, name, offset):
    file = firmware(name, offset)
    status, output, _ = run("flash", "--port", chip(name), "--firmware", file, "--wait", 0)
    assert status == 0
    assert f"Flash will be erased from 0x{offset:08x}" in output
    assert "100.0%" in output, "esptool's own progress"
    assert output.index("memory erased") < output.index("Hash of data verified")
    assert output.strip().endswith("written and verified")


def refused(output):
    assert "Eras" not in output
    assert "Writ" not in output


def test_an_image_for_another_chip_is_refused_before_anything_is_erased(chip, firmware):
    file = firmware("esp32", 0x1000)
    status, output, errors = run("flash", "--port", chip("esp32c3"), "--firmware", file)
    assert status == 1
    assert "is for the esp32, but the chip is an esp32c3: use the image ESP32_GENERIC_C3" in errors
    only_line(errors)
    refused(output)


def test_another_chip_than_the_one_that_was_named_is_refused(chip):
    status, output, errors = run("flash", "--port", chip("esp32c3"), "--chip", "esp32")
    assert status == 1
    assert "is an esp32c3, not the esp32 that CHIP=esp32 means" in only_line(errors)
    refused(output)


def test_a_file_that_is_no_image_is_refused_before_anything_is_erased(chip, tmp_path):
    file = tmp_path / "page.bin"
    file.write_text("<html>not found</html>")
    status, output, errors = run("flash", "--port", chip("esp32"), "--firmware", file)
    assert status == 1
    assert "is not an ESP32 firmware image" in only_line(errors)
    refused(output)


def test_an_image_for_another_chip_than_the_named_one_needs_no_board_to_be_refused(firmware):
    file = firmware("esp32", 0x1000)
    arguments = ("--port", "/dev/none", "--chip", "esp32s3", "--firmware", file)
    assert "is for the esp32, but" in only_line(run("flash", *arguments)[2])


def test_a_chip_without_wifi_is_refused_with_what_to_use_instead(chip, firmware):
    file = firmware("esp32h2", 0x0)
    status, output, errors = run("flash", "--port", chip("esp32h2"), "--firmware", file)
    assert status == 1
    assert "no Wi-Fi" in only_line(errors)
    assert "gateway" in errors
    refused(output)


def test_erasing_erases(chip):
    status, output, _ = run("erase", "--port", chip("esp32"))
    assert status == 0
    assert "Flash memory erased successfully" in output


def test_erasing_asks_first():
    command = [sys.executable, "-m", "tools.boards", "erase", "--port", "/dev/none"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, input="n\n")
    assert done.returncode == 1
    assert "Everything on /dev/none will be lost" in done.stdout
    assert "nothing was erased" in done.stderr


def test_a_chip_without_micropython_is_listed_with_the_row_that_fits(chip):
    status, output, _ = run("boards", "--port", chip("esp32s3"))
    assert status == 0
    assert "esp32s3, 4MB flash, MAC 24:0a:c4:" in output
    assert "CHIP=esp32s3" in output


# --- what runs MicroPython


def test_a_board_with_micropython_is_listed_with_its_version_and_goes_on_serving(make_board):
    board = make_board()
    position = board.log_position
    status, output, _ = run("boards", "--port", board.serial)
    assert status == 0, output
    version = board_version(board, position)
    assert f"MAC 24:6f:28:00:00:01, MicroPython {version}" in output


def board_version(board, position):
    board.wait_for_log("serving", since=position)
    return board.exec("import sys; print('%d.%d.%d' % sys.implementation.version[:3])").strip()


def test_a_prompt_that_comes_is_waited_for(make_board):
    board = make_board(wait=False)
    assert await_prompt(board.serial, 10).startswith("1.")


@pytest.fixture
def silent_port():
    """A port with something on it that never says anything."""
    ours, theirs = os.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_a_prompt_that_does_not_come_is_told_with_what_to_do(silent_port):
    with pytest.raises(Failure, match=r"no prompt came .* press the board's RESET button"):
        await_prompt(silent_port, 0)


# --- ports that cannot be used: the same line from every tool

every_tool = pytest.mark.parametrize("tool", TOOLS)
# One for each way in which a port is opened: esptool's, mpremote's, pyserial's own.
each_way = pytest.mark.parametrize("tool", ["flash", "deploy", "monitor"])


@every_tool
def test_a_port_that_is_not_there_is_told_with_those_that_are(tool):
    status, _, errors = run(tool, "--port", "/dev/ttyNONE")
    assert status == 1
    assert only_line(errors).startswith(f"make {tool}: there is no port /dev/ttyNONE: ")


@each_way
def test_a_port_that_another_program_uses_is_said_to_be_busy(tool, silent_port):
    with serial.Serial(silent_port, exclusive=True):
        status, _, errors = run(tool, "--port", silent_port)
    assert status == 1
    assert only_line(errors) == (
        f"make {tool}: {silent_port} is busy: "
        "close the other program that uses it (a monitor, an editor)"
    )


def without_privileges():
    """What to put before a command so that permissions count for it, even if we are root."""
    if os.getuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("no permission stops root, and there is no setpriv to give that up")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@each_way
def test_a_port_that_one_may_not_use_is_told_with_the_remedy(tool, silent_port):
    os.chmod(silent_port, 0)
    status, _, errors = run(tool, "--port", silent_port, prefix=without_privileges())
    assert status == 1
    line = only_line(errors)
    assert f"no permission to use {silent_port}: " in line
    assert sys.platform != "linux" or "sudo usermod -aG dialout $USER" in line


@each_way
def test_a_url_of_an_unknown_kind_is_told(tool):
    status, _, errors = run(tool, "--port", "carrier-pigeon://roof")
    assert status == 1
    assert "PORT=carrier-pigeon://roof is no port" in only_line(errors)


def test_a_machine_that_does_not_answer_is_told():
    errors = run("deploy", "--port", "socket://127.0.0.1:1")[2]
    assert "socket://127.0.0.1:1 cannot be opened" in only_line(errors)
