"""make join, and the codes that make monitor draws."""

import io
import json
import subprocess
import sys

import pytest
import segno

from tools import ROOT
from tools.board import join, qrcodes
from tools.failure import Failure


def code(text):
    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()


def test_it_shows_the_wifis_code_the_pages_code_and_the_admins_password(make_board, capsys):
    board = make_board(config={"wifi": {"ssid": "Löwe", "ip": "10.1.2.3"}})
    secrets = json.loads((board.flash / "secrets.json").read_text())
    position = board.log_position
    join.show(board.serial)
    output = capsys.readouterr().out
    wifi, admin = secrets["wifi_password"], secrets["admin_password"]
    assert f"join its Wi-Fi: 'Löwe', password {wifi}" in output
    assert code(f"WIFI:T:WPA;S:Löwe;P:{wifi};;") in output
    assert "open its page: http://10.1.2.3/\n" in output
    assert code("http://10.1.2.3/") in output
    assert f"http://10.1.2.3/settings.html, admin password {admin}" in output
    board.wait_for_log("serving", since=position)  # it goes on as before


def test_passwords_of_ones_own_and_another_port_are_shown_too(make_board, capsys):
    config = {
        "wifi": {"password": "correct horse"},
        "server": {"port": 8081},
        "admin": {"password": "of the admin"},
    }
    join.show(make_board(config=config).serial)
    output = capsys.readouterr().out
    assert "password correct horse" in output
    assert "http://192.168.4.1:8081/settings.html, admin password of the admin" in output


def test_in_another_wifi_only_the_page_and_without_an_admin_no_password(make_board, capsys):
    wifi = {"mode": "station", "station_ssid": "Home", "station_password": "correct horse"}
    air = {"networks": {"Home": {"password": "correct horse"}}}
    board = make_board(config={"wifi": wifi, "admin": {"enabled": False}}, air=air)
    join.show(board.serial)
    output = capsys.readouterr().out
    assert "join its Wi-Fi" not in output
    assert "open its page: http://192.168.1.42/\n" in output
    assert "password" not in output


def test_a_board_with_another_program_is_told_from_one_with_this(make_board, tmp_path):
    board = make_board(root=tmp_path, wait=False)
    with pytest.raises(Failure, match="this project is not on the board: make deploy"):
        join.show(board.serial)


def test_make_join_is_a_command(make_board):
    board = make_board()
    done = subprocess.run(
        [sys.executable, "-m", "tools", "join", "--port", board.serial],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )
    assert done.returncode == 0
    assert b"open its page: http://192.168.4.1/" in done.stdout  # without what ASCII cannot draw


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("wifi: access point 'Home', password secret12", "WIFI:T:WPA;S:Home;P:secret12;;"),
        ('wifi: access point "It\'s", password secret12', "WIFI:T:WPA;S:It's;P:secret12;;"),
        (r"wifi: access point 'L\xf6we', password secret12", "WIFI:T:WPA;S:Löwe;P:secret12;;"),
        ("serving ws://192.168.4.1:80/ws and wss://192.168.4.1:443/ws", "http://192.168.4.1/"),
        ("serving ws://10.0.0.7:8080/ws", "http://10.0.0.7:8080/"),
        ("serving http://10.0.0.7:80/ and https://10.0.0.7:443/", "http://10.0.0.7/"),
    ],
)
def test_what_a_board_prints_at_its_start_gets_a_code_in_the_monitor(line, meaning):
    assert code(meaning) in qrcodes.of_line(line)


@pytest.mark.parametrize(
    "line",
    ["wifi: access point 'Home', password as in config.json", "wifi: joining 'Home'", "x" * 99],
)
def test_other_lines_get_none(line):
    assert qrcodes.of_line(line) == ""
