"""Boards with the flat lib/ of before the packages: refused over Wi-Fi, upgraded over USB."""

import json
import threading
from pathlib import Path

import pytest
from websockets.sync.server import serve

from tools.deploy.deployment import Options, deploy
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

# The files that `make deploy` of commit 97b7781 put on a board.
OLD_FILES = Path(__file__).with_name("flash-97b7781.txt").read_text().split()
# The first message of its /update.
OLD_HELLO = {
    "version": [1, 25, 0],
    "machine": "Generic ESP32 module with ESP32",
    "mpy": 10502,
    "id": "246f28000001",
    "heap": 111168,
    "free": 1900544,
    "piece": 1024,
    "state": "",
}


@pytest.fixture
def old_board(monkeypatch):
    """(port, messages) of a server that greets as /update of 97b7781 did."""
    received = []

    def update(connection):
        connection.send(json.dumps(OLD_HELLO))
        received.extend(connection)

    monkeypatch.setenv("ADMIN_PASSWORD", "correct horse")
    with serve(update, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], received
        server.shutdown()
        thread.join()


def test_over_wifi_an_old_layout_is_refused_before_anything_is_sent(old_board):
    port, received = old_board
    with pytest.raises(Failure, match=r"Nothing was sent\. Deploy once over USB"):
        deploy(Options(host=f"ws://127.0.0.1:{port}"))
    assert received == []


def test_over_usb_an_old_layout_is_replaced_and_the_users_files_stay(tmp_path):
    mine = {
        "config.json": b'{"wifi": {"ssid": "mine"}}',
        "secrets.json": b'{"wifi_password": "unchanged1", "admin_password": "unchanged2"}',
        "certs/server.crt.der": b"certificate",
        "certs/server.key.der": b"key",
        "lib/sensor.py": b"value = 1\n",
    }
    with VirtualBoard(root=tmp_path) as board:
        for path in OLD_FILES:
            put(board, path[1:], b"" if path.endswith(".py") else b"old")
        put(board, "deployed.json", json.dumps(OLD_FILES).encode())
        for path, content in mine.items():
            put(board, path, content)
        deploy(Options(port=board.serial))
        assert files(board).items() >= mine.items()
        firmware = {name for name in files(board) if name not in mine}
        with VirtualBoard() as new:
            assert firmware - {"deployed.json", "crash.log"} == set(files(new)) - set(mine)
        assert "wifi: access point 'mine', password unchanged1" in board.log


def put(board, path, content):
    file = board.flash / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def files(board):
    return {
        path.relative_to(board.flash).as_posix(): path.read_bytes()
        for path in board.flash.rglob("*")
        if path.is_file()
    }


def test_a_module_of_a_subpackage_is_compiled_under_its_full_name(tmp_path):
    (tmp_path / "lib" / "pack" / "sub").mkdir(parents=True)
    for name in ("pack/__init__", "pack/sub/__init__", "pack/sub/module"):
        (tmp_path / "lib" / f"{name}.py").write_text("def fails():\n    raise ValueError\n")
    with VirtualBoard(root=tmp_path / "nothing") as board:
        deploy(Options(port=board.serial, root=tmp_path, wait=0))
        assert "lib/pack/sub/module.mpy" in files(board)
        with pytest.raises(
            RuntimeError, match='File "/lib/pack/sub/module.mpy", line 2, in fails'
        ):
            board.exec("import pack.sub.module\npack.sub.module.fails()")
