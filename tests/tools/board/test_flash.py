"""make boards, flash and erase: the real esptool against a stand-in for a chip's boot loader."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
from esp32_mock_bootloader.api import mock_bootloader

from tests.tools.commands import run
from tools import ROOT
from tools.board import ports
from tools.board.flash import await_prompt
from tools.failure import Failure
from tools.ports import free_port

from . import images

pytestmark = pytest.mark.host

TOOLS = ("flash", "boards", "erase", "deploy", "monitor", "repl", "reset", "backup", "join")


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
def far_chip(chip):
    """far_chip(name) -> the same, served by esptool's own server as from another machine."""
    running = []

    def start(name):
        server = Path(sys.executable).with_name("esp_rfc2217_server")
        port = free_port()
        command = [sys.executable, "-u", server, "-p", str(port), chip(name)]
        running.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        while "Waiting for connection" not in (line := running[-1].stdout.readline()):
            assert line, "esp_rfc2217_server has ended"
        return f"rfc2217://127.0.0.1:{port}"

    yield start
    for server in running:
        server.kill()
        server.communicate()


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


def test_a_chip_on_another_machine_is_reached_through_esptools_own_server(far_chip):
    """Which does not confirm control lines as RFC 2217 asks for."""
    assert ports.problem(far_chip("esp32c3")) is None


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


def test_a_chip_without_wifi_is_flashed_like_the_others(chip, firmware):
    file = firmware("esp32h2", 0x0)
    arguments = ("--port", chip("esp32h2"), "--firmware", file, "--wait", 0)
    status, output, errors = run("flash", *arguments)
    assert status == 0, errors
    assert "for ESP32-H2 at 0x0" in output


def test_erasing_erases(chip):
    status, output, _ = run("erase", "--yes", "--port", chip("esp32"))
    assert status == 0
    assert "Flash memory erased successfully" in output


def test_erasing_asks_first():
    status, output, errors = run("erase", "--port", "/dev/none", typed="n\n")
    assert status == 1
    assert "Everything on /dev/none will be lost" in output
    assert "nothing was erased" in errors


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
    more = ["--yes"] if tool == "erase" else []
    status, _, errors = run(tool, *more, "--port", "/dev/ttyNONE")
    assert status == 1
    assert only_line(errors).startswith(f"{tool}: there is no port /dev/ttyNONE: ")


WITHOUT_MAKE = re.findall(
    r"^ +\.venv\\Scripts\\python -m tools (.*--port COM3.*)$",
    (ROOT / "docs" / "install.md").read_text(encoding="utf-8"),
    re.M,
)


@pytest.mark.parametrize("command", WITHOUT_MAKE)
def test_a_documented_command_for_windows_gets_as_far_as_the_port(command):
    errors = run(*command.split(), typed="y\n")[2]
    assert "there is no port COM3" in only_line(errors)


def test_the_documents_have_every_command_for_windows():
    assert {command.partition(" --")[0] for command in WITHOUT_MAKE} == set(TOOLS)


@each_way
def test_a_port_that_another_program_uses_is_said_to_be_busy(tool, silent_port):
    with serial.Serial(silent_port, exclusive=True):
        status, _, errors = run(tool, "--port", silent_port)
    assert status == 1
    assert only_line(errors) == (
        f"{tool}: {silent_port} is busy: "
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
    line = only_line(errors)
    assert "PORT=carrier-pigeon://roof is not a port" in line
    assert "give a device such as /dev/ttyUSB0 or COM3, or socket://" in line


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "no board is plugged in .*\\. PORT= names a port that is not found by itself"),
        (
            ["/dev/a", "/dev/b"],
            "several boards are plugged in: PORT= names one of /dev/a, /dev/b;",
        ),
    ],
)
def test_without_a_choice_of_a_port_the_boards_are_named(monkeypatch, found, told):
    monkeypatch.setattr(ports, "boards", lambda: found)
    with pytest.raises(Failure, match=told):
        ports.choose("")


@pytest.mark.parametrize(
    ("usb", "others"),
    [
        ("/dev/cu.usbserial-0001", ["/dev/cu.Bluetooth-Incoming-Port", "/dev/cu.wlan-debug"]),
        ("/dev/cu.usbmodem14101", ["/dev/cu.debug-console"]),
        ("COM7", ["COM1"]),
    ],
)
def test_the_only_usb_port_of_a_system_is_chosen(monkeypatch, usb, others):
    listed = [SimpleNamespace(device=name, vid=None) for name in others]
    listed.append(SimpleNamespace(device=usb, vid=0x10C4))
    monkeypatch.setattr(ports.list_ports, "comports", lambda: listed)
    assert ports.choose("") == usb


@pytest.mark.parametrize("kind", ["socket", "rfc2217"])
@each_way
def test_a_machine_that_does_not_answer_is_told(tool, kind):
    line = only_line(run(tool, "--port", f"{kind}://127.0.0.1:1")[2])
    assert f"{kind}://127.0.0.1:1 cannot be opened: [Errno" in line
    assert "Connection refused: check that the other machine is on and serves the port" in line


WINDOWS = "could not open port 'COM3': "


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "FileNotFoundError(2, 'The system cannot find the file ...', None, 2)",
            "is no port COM3",
        ),
        ("PermissionError(13, 'Access is denied.', None, 5)", "COM3 is busy: close the other"),
        (
            "OSError(22, 'The semaphore timeout period ...', None, 121)",
            "unplug the board and plug it",
        ),
    ],
)
def test_what_windows_says_of_a_com_port_is_told_with_the_remedy(monkeypatch, words, told):
    def fail(*_, **__):
        raise serial.SerialException(WINDOWS + words)

    monkeypatch.setattr(serial, "serial_for_url", fail)
    assert told in str(ports.problem("COM3"))
