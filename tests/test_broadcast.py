"""The periodic broadcast of the demo, as its clients see it."""

import time

import pytest
import websocket


def listen(board):
    return websocket.create_connection(board.ws_url(), timeout=10)


def test_the_firmware_as_it_is_broadcasts_hello_every_five_seconds(make_board):
    client = listen(make_board())
    assert client.recv() == "Server broadcast: Hello #1"
    started = time.monotonic()
    assert client.recv() == "Server broadcast: Hello #2"
    assert 4 < time.monotonic() - started < 8


def test_text_and_interval_come_from_the_settings_and_everybody_gets_the_same(make_board):
    board = make_board(config={"broadcast": {"interval": 0.2, "text": "{} sheep, {}!"}})
    clients = [listen(board) for _ in range(3)]
    latest = [client.recv() for client in clients][-1]
    count = int(latest.split()[0])
    assert latest == f"{count} sheep, {count}!"
    assert [client.recv() for client in clients[:2]][-1].endswith("!")


def test_it_only_counts_when_somebody_listens(make_board):
    board = make_board(config={"broadcast": {"interval": 0.1, "text": "{}"}})
    time.sleep(0.5)  # five times that nobody hears
    client = listen(board)
    assert [client.recv(), client.recv()] == ["1", "2"]
    client.close()
    time.sleep(0.5)
    count = int(listen(board).recv())
    assert count <= 5  # those that were sent while the first one left


def test_an_interval_of_zero_means_never(make_board):
    client = listen(make_board(config={"broadcast": {"interval": 0}}))
    client.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv()


def test_a_text_without_a_place_for_the_count_is_sent_as_it_is(make_board):
    board = make_board(config={"broadcast": {"interval": 0.1, "text": "100 % {x} Grüße"}})
    assert listen(board).recv() == "100 % {x} Grüße"


def test_it_can_be_cancelled(make_board):
    main = """
from broadcast import Broadcast
from wsserver import Server

class Stop:
    def on_message(self, client, message):
        hello.cancel()
        client.send("cancelled")

server = Server()
server.websocket("/ws", Stop())
hello = Broadcast(server, "{}", 0.1)
Broadcast(server, "never", 0).cancel()
server.listen(80)
print("serving")
server.run()
"""
    client = listen(make_board(files={"main.py": main}))
    assert client.recv() == "1"
    client.send("enough")
    while client.recv() != "cancelled":
        pass
    client.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv()
