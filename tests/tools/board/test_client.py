"""`python -m tools client`, as one uses it from a terminal."""

import os
import pty
import re
import subprocess
import threading

import pytest

from tests.tools import commands
from tools.board.client import connect, duration, kilo, printable, table
from tools.certs import cli
from tools.failure import Failure
from tools.ports import free_port


@pytest.fixture(scope="module")
def board(make_board, certs):
    config = {"broadcast": {"interval": 0}, "server": {"open_timeout": 0.5}}
    return make_board(config=config, certs=certs)


def client(*arguments, text=""):
    return commands.run("client", *arguments, typed=text)


def test_what_is_typed_is_sent_and_what_comes_is_shown(board):
    assert client(board.ws_url(), text="hello\nGrüße\n") == (0, "hello\nGrüße\n", "")


def test_without_a_path_it_talks_to_the_echo_and_shows_the_demos_status(board):
    address = f"127.0.0.1:{board.http_port}"
    assert client(address, text="hello\n") == (0, "hello\n", "")
    assert "stats: must be true" in client(address, "--stats", "5000")[2]


def test_the_demo_answers_commands(board):
    status, output, _ = client(board.ws_url("/demo"), text="LED_OFF\nnonsense\n")
    assert status == 0
    lines = output.splitlines()
    assert '"type": "welcome"' in lines[0]
    assert "LED is OFF" in lines
    assert "'nonsense' is not a command" in lines[-1]


def test_control_characters_of_others_do_not_reach_the_terminal(board):
    _, output, _ = client(board.ws_url(), text="\x1b[2J\x07 é\tx\n")
    assert output == "\\x1b[2J\\x07 é\\tx\n"


def test_binary_messages_are_shown_as_bytes():
    assert printable(b"\x00\xff") == "(2 bytes) 00 ff"
    assert printable(bytes(100)).endswith("00 ...")


def test_stats_are_shown_as_a_table_again_and_again(board):
    arguments = ("client", board.ws_url("/demo"), "--stats", "1")
    process = commands.start(*arguments, stdout=subprocess.PIPE)
    try:
        text = ""
        while text.count("running for") < 2:
            text += process.stdout.readline()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
    assert "Virtual board with ESP32, MicroPython" in text
    assert re.search(r"^heap +[\d.]+ KB used, [\d.]+ KB free$", text, re.M)
    assert re.search(r"^ +\d+  client \d+ +/demo +\d+ +\d+ +0$", text, re.M)
    assert "\x1b" not in text  # it is no terminal


def test_on_a_terminal_the_table_stays_at_its_place_and_ctrl_c_ends_it(board):
    ours, theirs = pty.openpty()
    process = commands.start(
        *("client", board.ws_url("/demo"), "--stats", "1"),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        text = b""
        while text.count(b"\x1b[H\x1b[J") < 2:
            text += os.read(ours, 4096)
        process.send_signal(2)
        assert process.wait(10) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)


REPORT = {
    "type": "stats", "uptime": 90061, "cpu": 0.5, "messages_per_second": 1.5,
    "bytes_per_second": 900, "temperature": None, "wifi": {"mode": "station", "rssi": -61},
    "heap": {"free": 2048, "used": 1024}, "idf": {"free": 999, "largest": 1},
    "clients": [{"id": 1, "name": "\x1b[1m" + "x" * 40, "path": "/demo",
                 "messages": 5, "bytes": 6, "queue": 7}],
}  # fmt: skip


def test_a_table_says_everything_in_words():
    text = table(REPORT)
    for part in ("1 d 1 h", " 50 % ####", "999 B free", "unknown", "connected, -61 dBm"):
        assert part in text
    assert "\x1b" not in text
    lost = {**REPORT, "wifi": {"mode": "station", "rssi": None}}
    assert "not connected" in table(lost)
    alone = {**REPORT, "wifi": {"mode": "ap", "stations": []}}
    assert "joined by no station" in table(alone)
    assert [duration(59), duration(61), duration(7300)] == ["59 s", "1 min 1 s", "2 h 1 min"]
    assert [kilo(5), kilo(1536)] == ["5 B", "1.5 KB"]


def test_wss_with_the_authority_is_trusted_and_without_it_is_not(board, certs):
    url = f"wss://127.0.0.1:{board.https_port}/ws"
    assert client(url, "--ca", str(certs / "ca.pem"), text="secret\n") == (0, "secret\n", "")
    other = certs.parent / "other"
    assert cli.main(["--folder", str(other)]) == 0
    status, _, error = client(url, "--ca", str(other / "ca.pem"))
    assert status == 1
    assert "is not trusted" in error and "--ca names the certificate of its authority" in error
    assert "no.pem does not exist" in client(url, "--ca", "no.pem")[2]


@pytest.mark.parametrize(
    "url, problem",
    [
        ("http://127.0.0.1/", "is not a WebSocket URL such as ws://192.168.4.1/ws"),
        ("ws://", "is not a WebSocket URL"),
        ("ws://127.0.0.1:{closed}/ws", "cannot be reached: Connection refused"),
        ("ws://127.0.0.1:99999/ws", "cannot be reached"),
        ("ws://nowhere.invalid/ws", "nowhere.invalid cannot be reached"),
        (
            "ws://127.0.0.1:{http}/nothing",
            "to /nothing: the board has no WebSocket there; its paths are /",
        ),
        ("wss://127.0.0.1:{http}/ws", "is it the port for wss://?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(board, url, problem):
    url = url.format(closed=free_port(), http=board.http_port)
    status, output, error = client(url)
    assert (status, output) == (1, "")
    assert error.startswith("client: ") and error.count("\n") == 1
    assert problem in error


def test_a_proxy_in_the_environment_is_not_used(board, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    # 127.1 is this machine, but not one of the names that never go through a proxy.
    connection = connect(f"ws://127.1:{board.http_port}/ws")
    connection.send("hello")
    assert connection.recv() == "hello"
    connection.close()


def test_a_page_from_elsewhere_is_told_why_it_is_refused(board):
    with pytest.raises(Failure, match="omit --origin"):
        connect(board.ws_url(), origin="http://elsewhere.example")


def test_stats_where_there_are_none_is_an_error(board):
    status, _, error = client(board.ws_url(), "--stats")
    assert status == 1
    assert "this path sends no reports: --stats needs /demo, which a board has unless" in error
    assert "stats: must be true" in client(board.ws_url("/demo"), "--stats", "5000")[2]


def test_a_board_that_goes_away_ends_it_with_an_error(make_board):
    board = make_board(config={"broadcast": {"interval": 0}})
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = commands.start("client", board.ws_url(), **pipes)
    process.stdin.write("hello\n")
    process.stdin.flush()
    assert process.stdout.readline() == "hello\n"
    threading.Thread(target=board.power_cycle).start()
    assert re.search("the connection is lost: .*[a-z]; press Return$", process.stderr.readline())
    _, error = process.communicate("\n", timeout=60)
    assert process.returncode == 1
    assert "client: the connection has ended" in error
