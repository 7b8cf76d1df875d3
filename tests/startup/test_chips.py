"""Boards with the limits and names of other chips than the first ESP32."""

import ast

import pytest
import websocket

from tools import ROOT
from tools.board.table import load


def constant(name, path="config/chips.py"):
    tree = ast.parse((ROOT / "lib" / path).read_text())
    (value,) = [
        ast.literal_eval(node.value.args[0] if isinstance(node.value, ast.Call) else node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    ]
    return value


def test_the_boot_buttons_on_the_board_are_those_of_the_table_of_boards():
    words = constant("_BOOT_PINS", "startup.py").split()
    pins = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert pins == {board.chip.upper(): board.boot for board in load()}


def test_the_limits_on_the_board_are_those_of_the_table_of_boards():
    usual = next(board for board in load() if board.key == "esp32")
    small = {
        board.chip.upper(): (board.sockets, board.window, board.max_tls)
        for board in load()
        if (board.sockets, board.window) < (usual.sockets, usual.window)
    }
    assert constant("LIMITS") == small


@pytest.fixture(scope="module")
def c2(make_board):
    return make_board(chip="c2", config={"server": {"read_size": 4000}, "tls": {"enabled": False}})


def test_an_esp32_c2_serves_with_its_six_sockets(c2):
    c2.wait_for_log("serving ws://")
    assert "server.max_clients: using 3 instead of 5: an ESP32C2 has 6 sockets" in c2.log
    assert "server.max_clients: using 2 instead of 3: 4 sockets are free, 2 are for" in c2.log
    clients = [websocket.create_connection(c2.ws_url(), timeout=10) for _ in range(2)]
    for client in clients:
        client.send("x" * 4096)
        assert client.recv() == "x" * 4096
        client.close()


def test_settings_beyond_a_chips_limits_are_lowered_with_a_log_line(c2):
    assert "server.read_size: using 3072 instead of 4000: more is never received" in c2.log
    assert "tls.max_clients: using 1 instead of 3: an ESP32C2 has 6 sockets" in c2.log


@pytest.mark.parametrize("chip", ["c3", "c5", "c6", "s3", "p4-c6"])
def test_other_chips_keep_the_settings_as_they_are(make_board, chip):
    board = make_board(chip=chip)
    board.wait_for_log("serving ws://192.168.4.1")
    assert "using" not in board.log


@pytest.mark.parametrize("chip", ["h2", "p4"])
def test_a_chip_without_wifi_serves_over_ethernet(make_board, chip):
    board = make_board(chip=chip)
    board.wait_for_log("serving ws://192.168.1.60:80/ws")
    client = websocket.create_connection(board.ws_url("/demo"), timeout=10)
    client.send('{"stats": 1}')
    while '"stats"' not in (report := client.recv()):
        pass
    assert '"mode": "station", "rssi": null' in report.replace('":', '": ').replace("  ", " ")
    client.close()


def test_a_chip_without_wifi_and_settings_says_what_to_set(make_board):
    board = make_board(chip="h2", config={"network": {}})
    board.wait_for_log("network: this chip has no Wi-Fi: set network.order")
    board.wait_for_log("serving ws://0.0.0.0:80/ws")


def test_the_led_of_the_chip_is_used(make_board):
    board = make_board(chip="c5")
    code = "from demo import lamp\nkept = {'led_pin': None, 'led_kind': None}\n"
    code += "lamp.find(kept, print)\n"
    code += "print(kept['led_pin'], kept['led_kind'])\nfrom machine import Pin\nPin(28)\n"
    assert board.exec(code) == "27 neopixel\n"
    with pytest.raises(RuntimeError, match="invalid pin"):
        board.exec("Pin(29)")
