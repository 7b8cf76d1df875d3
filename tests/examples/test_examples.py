"""The applications in examples/, each run by a board."""

import json
import ssl
import urllib.request
from pathlib import Path

import pytest
import websocket

from tools.deploy.application import find

FOLDER = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def run_example(make_board):
    """run_example(name) -> a board that runs it as `make run APP=examples/NAME.py` does."""
    boards = []

    def run(name, **options):
        application = find(FOLDER / f"{name}.py").files
        boards.append(make_board(application=application, **options))
        return boards[-1]

    yield run
    for board in boards:
        assert board.log.count("Traceback") == board.log.count("KeyboardInterrupt")
        board.stop()


def connect(board, path="/ws"):
    return websocket.create_connection(board.ws_url(path), timeout=10)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_documented_and_tested(file):
    assert len(file.read_text().splitlines()) <= 40
    assert f"`{file.name}`" in (FOLDER / "README.md").read_text()
    assert f"test_{file.stem}_" in Path(__file__).read_text()


def test_echo_sends_everything_back(run_example):
    board = run_example("echo")
    client = connect(board)
    client.send("Grüße")
    assert client.recv() == "Grüße"
    client.send_binary(b"\x00\xff")
    assert client.recv() == b"\x00\xff"
    client.close()
    board.wait_for_log("client 1 connected from 127.0.0.1")
    board.wait_for_log("client 1 disconnected: 1000")


def test_broadcast_sends_the_same_to_all_clients_and_counts(run_example):
    board = run_example("broadcast")
    clients = [connect(board), connect(board)]
    assert [client.recv() for client in clients] == ["Server broadcast: Hello #1"] * 2


def test_secure_echoes_over_tls_and_refuses_clients_without(run_example, certs):
    board = run_example("secure", certs=certs)
    assert board.serves_https(10)
    client = websocket.create_connection(
        f"wss://127.0.0.1:{board.https_port}/ws",
        timeout=10,
        sslopt={"ca_certs": str(certs / "ca.pem"), "cert_reqs": ssl.CERT_REQUIRED},
    )
    client.send("secret")
    assert client.recv() == "secret"
    plain = connect(board)
    assert plain.recv_data()[1] == (1008).to_bytes(2, "big") + b"use wss://"


def test_counter_sends_the_number_of_clients_to_all(run_example):
    board = run_example("counter")
    clients = []
    for count in (1, 2, 3):
        clients.append(connect(board))
        assert [client.recv() for client in clients] == [f"clients: {count}"] * count
    clients.pop().close()
    assert [client.recv() for client in clients] == ["clients: 2"] * 2


def test_targeted_reaches_one_client_and_reports_errors(run_example):
    board = run_example("targeted")
    clients = [connect(board) for _ in range(3)]
    ids = [json.loads(client.recv())["id"] for client in clients]

    def answer(text):
        clients[0].send(text)
        return json.loads(clients[0].recv())

    clients[0].send(json.dumps({"to": ids[2], "message": "Hello"}))
    assert json.loads(clients[2].recv()) == {"from": ids[0], "message": "Hello"}
    assert answer('{"to": 99, "message": "a"}') == {"error": "no client has the id 99"}
    assert answer('{"to": 1, "message": 5}') == {"error": "the message must be a string"}
    for wrong in ("hello", "5", "[]", '{"to": 1}', '{"to": 1, '):
        assert answer(wrong) == {"error": 'send {"to": 3, "message": "Hello"}'}
    assert answer(json.dumps({"to": ids[0], "message": "me"})) == {"from": ids[0], "message": "me"}
    clients[1].send(json.dumps({"to": ids[1], "message": "nothing before this"}))
    assert "nothing before this" in clients[1].recv()


def test_monitor_answers_with_the_state_of_the_board(run_example):
    board = run_example("monitor", air={"stations": ["02:00:00:00:00:01"]})
    client = connect(board)
    client.send("stats")
    stats = json.loads(client.recv())
    assert 0 < stats["heap"]["free"] < 128 * 1024 and stats["heap"]["used"] > 0
    assert 30_000 < stats["system heap"]["free"] <= 110_696  # the GC heap may have grown
    assert (stats["stations"], stats["clients"]) == (1, {"1": 0})
    client.send("hello")
    assert json.loads(client.recv()) == {"error": "send: stats"}


def test_led_page_serves_a_page_and_all_clients_see_the_led(run_example):
    board = run_example("led_page")
    with urllib.request.urlopen(board.http_url, timeout=10) as response:
        assert b"TOGGLE_LED" in response.read()
    clients = [connect(board, "/led"), connect(board, "/led")]
    assert [client.recv() for client in clients] == ["LED is OFF"] * 2
    for text in ("LED is ON", "LED is OFF", "LED is ON"):
        clients[0].send("TOGGLE_LED")
        assert [client.recv() for client in clients] == [text] * 2
    for client in clients:
        client.close()
    assert board.exec("import machine; print(machine.Pin(2).value())").strip() == "1"
