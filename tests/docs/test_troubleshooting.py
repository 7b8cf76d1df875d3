"""The log lines that docs/troubleshooting.md shows are those of the board."""

import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.docs.blocks import DOCS
from tests.wsserver.web import Web
from tools.certs.cli import main as make_certs
from tools.wsclient import request

TEXT = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
LINES = [line.strip() for line in TEXT.splitlines() if line.startswith("    ")]
APP = {
    "app/app.py": "import time\n\nclass Slow:\n    def on_message(self, client, message):\n"
    "        time.sleep_ms(300)\n        client.send('done')\n\n"
    "def setup(board):\n    board.server.websocket('/ws', Slow())\n"
}


@pytest.fixture(scope="module")
def board(make_board):
    server = {"ping_interval": 1, "ping_timeout": 1, "max_clients": 1}
    board = make_board(files=APP, config={"server": server})
    board.wait_for_log("serving ws://")
    return board


def general(line):
    """The line without what differs: addresses, numbers and times."""
    return re.sub(r"\d+(\.\d+)*", "N", line)


def documented(text):
    """The documented lines that contain a text; there is at least one."""
    found = [line for line in LINES if text in line]
    assert found, text
    return found


def appears(board, text):
    """Wait until the board's log has a line like the documented one."""
    (line,) = documented(text)
    pattern = re.escape(general(line)).replace("N", r"\d+(\.\d+)*")
    board.wait_for_log(pattern)


def answer(board, data):
    """The (status, body) of the response to these bytes."""
    got = Web(board).raw(data)
    return got.status, got.text


def test_a_wrong_uri_gets_404_with_the_paths(board):
    status, text = answer(board, request("/wrong"))
    assert status == 404 and "WebSocket paths: /join, /settings, /update, /ws" in text
    appears(board, "404: no WebSocket at this path")


def test_a_page_request_for_an_endpoint_gets_426(board):
    with pytest.raises(urllib.error.HTTPError, match="426"):
        urllib.request.urlopen(board.http_url + "ws", timeout=10)
    appears(board, "426: use a WebSocket client")


def test_a_handshake_without_its_upgrade_header_gets_400(board):
    assert answer(board, request().replace(b"Upgrade: websocket\r\n", b""))[0] == 400
    appears(board, "Upgrade is missing or malformed")


def test_tls_on_a_plain_port_is_named(board):
    assert answer(board, b"\x16\x03\x01\x00\x05hello")[0] == 400
    appears(board, "TLS on a port without TLS")


def test_http_at_the_port_of_tls_is_named(make_board, certs):
    board = make_board(certs=certs)
    board.wait_for_log("and (https|wss)://")
    with socket.create_connection((board.address, board.https_port), timeout=10) as plain:
        plain.sendall(request())
        appears(board, "no TLS at a port with TLS")


def test_a_blocking_handler_is_named(board):
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("wait")
    assert client.recv() == "done"
    client.close()
    appears(board, "slow: on_message of /ws")


def test_the_number_of_an_error_is_explained(make_board):
    program = "import socket\n\ndef setup(board):\n"
    program += "    board.server.after(1, lambda: socket.getaddrinfo('no.such.host', 80))\n"
    board = make_board(files={"app/app.py": program})
    appears(board, "OSError: -202")
    appears(board, "the host name could not be resolved")


def test_a_ghost_is_dropped_and_meanwhile_takes_the_place(board):
    ghost = websocket.create_connection(board.ws_url(), timeout=10)  # does not read, so no Pong
    assert answer(board, request())[0] == 503
    appears(board, "503: too many clients")
    appears(board, "disconnected: 1006 no answer to ping")
    ghost.close()


def test_max_clients_beyond_the_sockets_is_lowered(make_board):
    appears(make_board(config={"server": {"max_clients": 8}}), "server.max_clients: using")


def test_a_missing_and_a_wrong_certificate_are_named(make_board, tmp_path):
    appears(make_board(), "server.crt.der not found")
    for name in ("one", "two"):
        assert make_certs(["--folder", str(tmp_path / name)]) == 0
    certificate = (tmp_path / "one" / "server.crt.der").read_bytes()
    key = (tmp_path / "two" / "server.key.der").read_bytes()
    files = {"certs/server.crt.der": certificate, "certs/server.key.der": key}
    appears(make_board(files=files), "belongs to another certificate")


def test_every_documented_line_is_provoked_here():
    source = Path(__file__).read_text()
    texts = re.findall(r'appears\(.*"([^"]+)"\)', source)
    others = ("setup:", "safe mode", "the watchdog restarted the board: its loop hung")
    missed = [
        line
        for line in LINES
        if not any(text in line for text in texts) and not line.startswith(others)
    ]
    assert missed == []
