"""From power-on to serving, and back to the prompt."""

import http.client
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import websocket

from tools.certs import cli

BOOT = (Path(__file__).resolve().parents[2] / "boot.py").read_text()


def password(board):
    return board.wait_for_log(r"', password (\S+)")[1]


def admin_password(board):
    return board.wait_for_log(r"admin: password (\S+)")[1]


def printed(board):
    return {"wifi_password": password(board), "admin_password": admin_password(board)}


def kept(board):
    return json.loads((board.flash / "secrets.json").read_text())


def test_the_demo_echoes_text_and_binary(board):
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("hello")
    assert client.recv() == "hello"
    client.send_binary(b"\x00\xff")
    assert client.recv() == b"\x00\xff"
    client.close()


def test_the_page_is_served(board):
    with urllib.request.urlopen(board.http_url, timeout=10) as response:
        page = response.read().decode()
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "new WebSocket" in page


@pytest.mark.needs(wifi=True)
def test_the_address_is_printed(make_board):
    board = make_board()
    board.wait_for_log(r"serving ws://192\.168\.4\.1:80/ws")


def test_after_ctrl_c_the_prompt_works_and_all_sockets_are_free(make_board):
    board = make_board()
    client = websocket.create_connection(board.ws_url(), timeout=10)
    board.serial_write(b"\x03")
    board.wait_for_log(r"KeyboardInterrupt:.*\n(.*\n)*>>> $")
    try:
        while True:
            client.recv()
    except websocket.WebSocketConnectionClosedException:
        pass
    position = board.log_position
    board.serial_write(b"server.listen(80); print('listening', len(server.clients))\r")
    board.wait_for_log("listening 0", since=position)
    board.serial_write(b"server.run()\r")
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("again")
    assert client.recv() == "again"


def test_a_port_in_use_is_logged_and_ends_in_safe_mode(make_board):
    taken = (
        "import socket\ntaken = socket.socket()\ntaken.bind(('0.0.0.0', 80))\ntaken.listen(1)\n"
    )
    board = make_board(files={"boot.py": taken + BOOT}, wait=False)
    board.wait_for_log(r"cannot listen on port 80: EADDRINUSE \(port in use\)")
    board.wait_for_log(r"safe mode(.*\n)*>>> $")


@pytest.mark.needs(wifi=True)
def test_generated_passwords_are_printed_stored_and_unique(make_board):
    boards = [make_board(), make_board()]
    first, second = (password(board) for board in boards)
    assert first != second
    assert re.fullmatch(r"[a-hjkmnp-z2-9]{10}", first)
    board = boards[0]
    assert kept(board) == printed(board)
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving", since=position)
    assert board.log[position:].count(f"password {first}") == 1
    assert board.log[position:].count(f"admin: password {admin_password(board)}") == 1


@pytest.mark.needs(wifi=True)
def test_only_a_generated_admin_password_is_printed(
    make_board,
):
    own = make_board(config={"admin": {"password": "correct horse"}})
    off = make_board(config={"admin": {"enabled": False}})
    for board in (own, off):
        assert "admin" not in board.log
        assert set(kept(board)) == {"wifi_password"}


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize(
    "broken", ['{"wifi_pass', "", "[]", "[" * 9000, b"\xff\xfe"], ids=lambda text: repr(text[:9])
)
def test_a_damaged_secrets_file_is_reported_and_replaced(make_board, broken):
    board = make_board(files={"secrets.json": broken})
    assert "/secrets.json: is not a JSON object" in board.log
    assert kept(board) == printed(board)


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize("unusable", ["short", "x" * 64, 12345678, None])
def test_an_unusable_stored_password_is_replaced_and_other_secrets_stay(make_board, unusable):
    secrets = json.dumps({"other": "kept", "wifi_password": unusable})
    board = make_board(files={"secrets.json": secrets})
    assert kept(board) == {"other": "kept", **printed(board)}
    assert len(password(board)) == 10


@pytest.mark.needs(wifi=True)
def test_a_password_that_cannot_be_stored_is_reported(make_board):
    board = make_board(files={"secrets.json.new/in the way": ""})
    line = r"/secrets\.json: cannot be written \(EISDIR\): the password changes at the next start"
    board.wait_for_log(line)
    assert len(password(board)) == 10


def test_a_full_flash_is_named_where_the_password_cannot_be_stored(make_board):
    boot = BOOT.replace(
        "from config import loader, secrets",
        "from config import loader, secrets, atomic\n"
        "    def full(*args):\n"
        "        raise OSError(28)\n"
        "    atomic.write = full",
    )
    board = make_board(files={"boot.py": boot})
    board.wait_for_log(r"/secrets\.json: cannot be written \(no space\): the password changes")


def test_a_board_without_pages_still_serves_websockets(make_board):
    boot = "import os\nos.rename('/www', '/elsewhere')\n" + BOOT
    board = make_board(files={"boot.py": boot})
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(board.http_url, timeout=10)
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("hello")
    assert client.recv() == "hello"


def refusing(port):
    """Return a boot.py after which listening on this port fails."""
    return (
        "import socket\n_bind = socket.socket.bind\ndef bind(self, address):\n"
        f"    if address[1] == {port}:\n        raise OSError(112)\n"
        "    _bind(self, address)\nsocket.socket.bind = bind\n"
    ) + BOOT


@pytest.mark.needs(wifi=True)
def test_port_80_replaces_a_port_that_is_not_available(make_board):
    board = make_board(files={"boot.py": refusing(8266)}, config={"server": {"port": 8266}})
    board.wait_for_log(r"serving ws://192\.168\.4\.1:80/ws")
    assert "cannot listen on port 8266: " in board.log
    assert "server.port: using 80 instead" in board.log
    connection = http.client.HTTPConnection(board.address, board.http_port, timeout=10)
    connection.request("GET", "/hotspot-detect.html", headers={"Host": "captive.apple.com"})
    assert connection.getresponse().headers["Location"] == "http://192.168.4.1/"
    connection.close()


@pytest.mark.needs(wifi=True)
def test_without_the_tls_port_plain_http_is_served_without_redirect(make_board, tmp_path):
    assert cli.main(["--folder", str(tmp_path / "certs")]) == 0
    tls = {"port": 4433, "redirect": True}
    files = {"boot.py": refusing(4433)}
    board = make_board(files=files, config={"tls": tls}, certs=tmp_path / "certs")
    board.wait_for_log(r"serving ws://192\.168\.4\.1:80/ws\n")
    with urllib.request.urlopen(board.http_url, timeout=10) as answer:
        assert answer.status == 200


def test_a_buffer_for_boards_with_psram_gives_way_to_the_default(make_board):
    board = make_board(config={"server": {"max_size": 1000000, "max_clients": 2}})
    assert (
        "server.max_size: must be at most 4170 on a board without PSRAM; using 4096" in board.log
    )
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("hello")
    assert client.recv() == "hello"


@pytest.mark.needs(sockets=10, wifi=True)
def test_max_clients_is_lowered_to_fit_the_sockets(make_board):
    board = make_board(config={"server": {"max_clients": 8}}, sockets=6)
    board.wait_for_log("serving")
    # One socket is the listener's, one the captive portal's.
    text = "server.max_clients: using 2 instead of 8: 4 sockets are free, 2 are for HTTP"
    assert text in board.log
    clients = [websocket.create_connection(board.ws_url(), timeout=10) for _ in range(2)]
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        websocket.create_connection(board.ws_url(), timeout=10)
    with urllib.request.urlopen(board.http_url, timeout=10) as page:
        assert page.status == 200
    for client in clients:
        client.send("hello")
        assert client.recv() == "hello"


def test_the_board_names_both_of_its_addresses(make_board, certs):
    board = make_board(config={"tls": {"port": 4443}}, certs=certs)
    # Without Wi-Fi, it is not the address of an access point.
    board.wait_for_log(r"serving ws://192\.168\.(\d\.\d+):80/ws and wss://192\.168\.\1:4443/ws\s")


@pytest.mark.needs(sockets=10)
def test_the_default_max_clients_fits_ten_sockets(make_board, certs):
    board = make_board(certs=certs)
    board.wait_for_log("serving ws://.* and wss://")
    assert "server.max_clients" not in board.log


def test_the_settings_are_read_once(make_board):
    count = (
        "import builtins\nopened = builtins.open\n"
        "def open(path, *mode):\n    print('opened', path)\n    return opened(path, *mode)\n"
        "builtins.open = open\n"
    )
    board = make_board(files={"boot.py": count + BOOT}, config={"wifi": {"ssid": "Mine"}})
    board.wait_for_log("serving")
    assert board.log.count("opened /config.json") == 1


def test_a_board_with_psram_takes_large_buffers(make_board):
    server = {"max_size": 20000, "write_limit": 30000}
    board = make_board(config={"server": server}, heap="2m")
    assert "PSRAM" not in board.log
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("x" * 20000)
    assert client.recv() == "x" * 20000
