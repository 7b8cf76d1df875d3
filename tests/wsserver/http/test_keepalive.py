"""HTTP connections that stay open for further requests."""

import time

import pytest

from tests.wsserver.conftest import wait_until
from tools.wsclient import RefusedError

from .conftest import answer, head, request


def test_a_connection_serves_one_request_after_the_other(web):
    with web.connect() as connection:
        for number in range(5):
            got = answer(connection.send(request("/body", "POST", b"%d" % number)))
            assert got.body == b"%d" % number
            assert "connection" not in got.headers
            assert answer(connection.send(request("/text"))).status == 200
            assert answer(connection.send(request("/none"))).status == 204
            assert len(answer(connection.send(request("/pieces/3/4000"))).body) == 12000
            assert answer(connection.send(request("/upload", "POST", [b"abc"]))).json["size"] == 3
        connection.send(request("/ws", Upgrade="x"))
        assert answer(connection).status == 200


def test_a_kept_connection_can_become_a_websocket(web):
    with web.connect() as connection:
        assert answer(connection.send(request("/text"))).status == 200
        connection.open("/ws").send(b"\x81\x81\0\0\0\0x")
        assert connection.frame() == (1, b"x")


@pytest.mark.parametrize(
    "data",
    [
        request("/text", Connection="close"),
        request("/text", Connection="x, Close"),
        request("/text", version="1.0"),
        request("/unread", "POST", b"x" * 100),
        request("/status/400", "POST", b""),
        request("/wrong/1"),
        request("/text") + b"GET",
        request("/body", "POST", b"hello") + b"GET",
        request("/upload", "POST", [b"hello"]) + b"GET",
    ],
)
def test_the_board_closes_the_connection_when_it_must(web, data):
    with web.connect() as connection:
        connection.send(data)
        assert answer(connection).headers["connection"] == "close"
        assert connection.rest() == b""


def test_a_second_request_that_does_not_wait_is_not_answered(web):
    with web.connect() as connection:
        connection.send(request("/async/50"))
        time.sleep(0.02)
        connection.send(request("/text"))
        assert answer(connection).json["waited"] == 50
        assert connection.rest() == b""


def test_idle_connections_leave_slots_for_others(web):
    """There are three slots; an idle connection goes when somebody waits for its slot."""
    kept = [web.connect() for _ in range(3)]
    for connection in kept:
        assert answer(connection.send(request("/text"))).status == 200
    waiting = [web.connect().send(request("/async/300")) for _ in range(3)]
    for connection in waiting:
        assert answer(connection).status == 200
    for connection in kept:
        assert connection.rest() == b""
    for connection in (*kept, *waiting):
        connection.close()


def test_an_idle_connection_is_closed_after_some_seconds(web):
    with web.connect() as connection:
        assert answer(connection.send(request("/text"))).status == 200
        start = time.monotonic()
        assert connection.rest() == b""
        assert 4 < time.monotonic() - start < 8


def test_a_kept_connection_that_stops_within_a_head_is_dropped(web):
    with web.connect() as connection:
        assert answer(connection.send(request("/text"))).status == 200
        connection.send(b"GET /te")
        with pytest.raises(RefusedError):
            head(connection)
    wait_until(lambda: web.ask("/text").status == 200, "a slot")
