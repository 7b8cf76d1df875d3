"""make monitor, repl, reset and backup over a virtual board's serial port; make config."""

import json
import os
import pty
import subprocess
import termios

import pytest
from mpremote.transport_serial import SerialTransport

from tests.tools import commands
from tests.waiting import wait_until
from tools import ROOT
from tools.board.session import Session
from tools.board.sources import source_of

pytestmark = pytest.mark.host


@pytest.fixture
def monitor(make_board):
    """(a board, `make monitor` on it)."""
    board = make_board(config={"broadcast": {"interval": 0}})
    process = commands.start("monitor", "--port", board.serial, stdout=subprocess.PIPE)
    assert process.stdout.readline() == f"{board.serial}: Ctrl-C ends this\n"
    yield board, process
    process.kill()
    process.communicate()


def lines_until(process, text):
    lines = [process.stdout.readline()]
    while text not in lines[-1]:
        assert lines[-1], f"it ended without {text!r}: {lines}"
        lines.append(process.stdout.readline())
    return lines


def test_the_monitor_shows_what_the_board_prints_and_does_not_disturb_it(monitor):
    board, process = monitor
    pid = board.pid
    board.power_cycle()
    lines = lines_until(process, "serving ws://")
    assert any(line.startswith("wifi: access point") for line in lines)
    process.send_signal(2)
    assert process.wait(10) == 0
    assert board.pid != pid, "the power cycle, and nothing else, restarted it"
    assert "KeyboardInterrupt" not in board.log


def test_the_monitor_shows_the_source_of_each_line_of_a_traceback(monitor):
    board, process = monitor
    board.serial_write(b"\x03")
    lines_until(process, "KeyboardInterrupt")
    board.serial_write(b"from demo.led import Led\rLed(0, None, None)\r")
    lines = lines_until(process, "Error: ")
    at = next(at for at, line in enumerate(lines) if 'led.mpy", line' in line)
    number = int(lines[at].split("line ")[1].split(",")[0])
    code = (ROOT / "lib" / "demo" / "led.py").read_text().splitlines()[number - 1].strip()
    assert lines[at + 1] == f"    -> lib/demo/led.py:{number}: {code}\n"


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ('  File "main.py", line 2, in <module>', "main.py:2: two = 2"),
        ('  File "/lib/wsserver/a.py", line 1, in f', "lib/wsserver/a.py:1: one = 1"),
        ('  File "/lib/wsserver/a.mpy", line 1, in f', "lib/wsserver/a.py:1: one = 1"),
        ('  File "wsserver/a.py", line 9, in f', "lib/wsserver/a.py:9: (no such line)"),
        ('  File "<stdin>", line 1, in <module>', None),
        ('  File "asyncio/core.py", line 1, in run', None),
        ('see File "main.py", line 2', None),
    ],
)
def test_the_source_of_a_line_of_a_traceback_is_found_if_it_is_ours(tmp_path, line, source):
    (tmp_path / "lib" / "wsserver").mkdir(parents=True)
    (tmp_path / "lib" / "wsserver" / "a.py").write_text("one = 1\n")
    (tmp_path / "main.py").write_text("one = 1\ntwo = 2\n")
    assert source_of(line, tmp_path) == source


def test_a_reset_restarts_the_board(make_board):
    board = make_board()
    board.wait_for_log("serving")
    pid, position = board.pid, board.log_position
    status, _, errors = commands.run("reset", "--port", board.serial)
    assert status == 0, errors
    board.wait_for_log("serving", since=position)
    assert board.pid != pid


def until_keys_arrive_raw(terminal):
    """Until then a Ctrl-C is the terminal's own, and lost; mpremote says nothing of it."""
    is_raw = lambda: not termios.tcgetattr(terminal)[3] & termios.ICANON  # noqa: E731
    wait_until(is_raw, "mpremote to take the terminal over", 30)


def test_the_prompt_is_opened_in_a_terminal_and_left_with_ctrl_x(make_board):
    board = make_board()
    ours, theirs = pty.openpty()
    process = commands.start(
        *("repl", "--port", board.serial), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    for seen, typed in (
        (b"to exit this shell", b"\x03"),
        (b">>> ", b"print(6 * 7)\r"),
        (b"\n42", b"\x18"),
    ):
        output = b""
        while seen not in output:
            output += os.read(ours, 1000)
        until_keys_arrive_raw(ours)
        os.write(ours, typed)
    assert process.wait(10) == 0
    os.close(ours)


def test_a_board_is_given_half_a_minute_to_answer(make_board, monkeypatch):
    waits = []
    follow = SerialTransport.follow

    def watched(transport, timeout, data_consumer=None):
        waits.append(timeout)
        return follow(transport, timeout, data_consumer)

    monkeypatch.setattr(SerialTransport, "follow", watched)
    board = make_board(config={"broadcast": {"interval": 0}})
    with Session(board.serial) as session:
        assert session.run("print(6 * 7)") == "42\n"
        session.file("writefile", "/new", b"content")  # a nearly full flash is slow
        assert session.file("readfile", "/new") == b"content"
    assert set(waits) == {2, 30}  # 2 for the first answer, which is asked for again


def test_a_board_that_restarts_before_its_first_answer_is_asked_again(make_board, monkeypatch):
    board = make_board(config={"broadcast": {"interval": 0}})
    follow = SerialTransport.follow
    restarts = [1]

    def restart_and_follow(transport, timeout, data_consumer=None):
        if restarts:
            restarts.clear()
            position = board.log_position
            board.power_cycle()
            board.wait_for_log("serving", since=position)
            transport.serial.reset_input_buffer()
        return follow(transport, timeout, data_consumer)

    monkeypatch.setattr(SerialTransport, "follow", restart_and_follow)
    monkeypatch.setattr("tools.board.session._ANSWER", 10_000)
    with Session(board.serial) as session:
        assert session.run("print(6 * 7)") == "42\n"


def test_a_backup_has_every_file_and_is_for_its_owner_alone(make_board, tmp_path):
    files = {"/data/odd name's.bin": bytes(range(256)) * 8, "/empty.txt": b""}
    board = make_board(files=files)
    position = board.log_position
    status, output, errors = commands.run("backup", "--port", board.serial, "--to", tmp_path)
    assert status == 0, errors
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("246f28000001-")
    assert folder.stat().st_mode & 0o777 == 0o700
    there = {path.relative_to(board.flash): path for path in board.flash.rglob("*")}
    assert {path.relative_to(folder) for path in folder.rglob("*")} == set(there)
    for name, path in there.items():
        assert path.is_dir() or (folder / name).read_bytes() == path.read_bytes()
    board.wait_for_log("serving", since=position)


# --- make config


def configure(file, answers):
    return commands.run("config", "--file", file, typed=answers)


def test_the_answers_are_written_for_their_owner_alone(tmp_path):
    file = tmp_path / "config.json"
    assert configure(file, "My Board\nsecret123\n")[0] == 0
    assert json.loads(file.read_text()) == {"wifi": {"ssid": "My Board", "password": "secret123"}}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_password_that_is_left_out_is_made_up_and_shown(tmp_path):
    passwords = set()
    for name in ("a.json", "b.json"):
        status, output, _ = configure(tmp_path / name, "\n\n")
        wifi = json.loads((tmp_path / name).read_text())["wifi"]
        assert (status, wifi["ssid"]) == (0, "ESP32-WS-Server")
        assert len(wifi["password"]) == 12
        assert f"password: {wifi['password']}\n" in output
        passwords.add(wifi["password"])
    assert len(passwords) == 2


def test_an_answer_that_the_board_would_not_take_is_asked_for_again(tmp_path):
    file = tmp_path / "config.json"
    status, output, _ = configure(file, f"{'x' * 33}\nBoard\nshort\nlong enough\n")
    assert status == 0
    assert "wifi.ssid: must be a text of 1 to 32 bytes" in output
    assert "wifi.password: must be a text of 8 to 63 bytes" in output
    assert json.loads(file.read_text())["wifi"] == {"ssid": "Board", "password": "long enough"}


def test_other_settings_are_kept(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"server": {"port": 81}, "wifi": {"channel": 3, "ssid": "Old"}}')
    configure(file, "\nsecret123\n")
    assert json.loads(file.read_text()) == {
        "server": {"port": 81},
        "wifi": {"channel": 3, "ssid": "Old", "password": "secret123"},
    }


@pytest.mark.parametrize(
    ("text", "answers", "problem"),
    [
        ("{", "\n\n", "is not JSON"),
        ("[]", "\n\n", "does not hold settings"),
        ('{"wifi": 1}', "\n\n", "does not hold settings"),
        ('{"server": {}}', "Board\n", "there is no answer"),
    ],
)
def test_what_goes_wrong_is_told_and_the_file_stays_as_it_is(tmp_path, text, answers, problem):
    file = tmp_path / "config.json"
    file.write_text(text)
    status, _, errors = configure(file, answers)
    assert status == 1
    assert problem in errors
    assert len(errors.splitlines()) == 1
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]
