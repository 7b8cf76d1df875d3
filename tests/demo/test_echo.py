"""The periodic broadcast of /ws."""

import time

import pytest
import websocket


def listen(board):
    return websocket.create_connection(board.ws_url(), timeout=10)


def test_the_default_is_a_hello_every_five_seconds(make_board):
    client = listen(make_board())
    assert client.recv() == "Server broadcast: Hello #1"
    started = time.monotonic()
    assert client.recv() == "Server broadcast: Hello #2"
    assert 4 < time.monotonic() - started < 8


@pytest.mark.needs(sockets=10)
def test_all_clients_get_the_text_of_the_settings(make_board):
    board = make_board(config={"broadcast": {"interval": 0.2, "text": "{} sheep, {}!"}})
    clients = [listen(board) for _ in range(3)]
    latest = [client.recv() for client in clients][-1]
    count = int(latest.split()[0])
    assert latest == f"{count} sheep, {count}!"
    assert [client.recv() for client in clients[:2]][-1].endswith("!")


def test_the_counter_counts_only_broadcasts_that_reach_a_client(make_board):
    board = make_board(config={"broadcast": {"interval": 0.1, "text": "{}"}})
    time.sleep(0.5)  # five times without a client
    client = listen(board)
    assert [client.recv(), client.recv()] == ["1", "2"]
    client.close()
    time.sleep(1.5)
    count = int(listen(board).recv())
    assert count <= 12  # those that were sent while the first one left


def test_an_interval_of_zero_turns_the_broadcast_off(make_board):
    client = listen(make_board(config={"broadcast": {"interval": 0}}))
    client.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv()


def test_a_text_without_a_counter_is_sent_unchanged(make_board):
    board = make_board(config={"broadcast": {"interval": 0.1, "text": "100 % {x} Grüße"}})
    assert listen(board).recv() == "100 % {x} Grüße"
