"""HTTP connections that stay open for further requests."""

import gzip
import socket
import time

import pytest

from tests.waiting import wait_until
from tests.wsserver.web import Web, answer, head, request
from tools.wsclient import RefusedError

from .conftest import BIG, FILES


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


@pytest.mark.parametrize(
    "data",
    [
        request("/text", Connection="close"),
        request("/text", version="1.0"),
        request("/body", "POST", b"hello", Connection="close"),
        request("/body", "POST", [b"hello"], Connection="close"),
        request("/pieces/50/4000", Connection="close"),
        request("/big.txt"),
        request("/big.txt", "HEAD"),
    ],
)
def test_the_end_follows_at_once_if_the_peer_has_sent_one_request(web, data):
    times = []
    for _ in range(5):
        with web.connect() as connection:
            answer(connection.send(data), data.startswith(b"HEAD"))
            started = time.monotonic()
            assert connection.rest() == b""
            times.append(time.monotonic() - started)
    assert min(times) < 0.4  # elsewhere the board waits for half a second


@pytest.mark.parametrize("path", ["/held-async", "/held-blocking"])
def test_the_board_waits_for_a_peer_that_has_sent_more(web, release, path):
    with web.hold(path, Connection="close") as connection:
        connection.send(b"x")
        started = time.monotonic()
        release()
        assert answer(connection).body == b"released"
        assert connection.rest() == b""
    assert time.monotonic() - started > 0.4  # else it could not have read what follows


def test_a_second_request_that_does_not_wait_is_not_answered(web, release):
    with web.hold() as connection:
        connection.send(request("/text"))
        assert web.ask("/text").status == 200  # by then the board has read the second request
        release()
        got = answer(connection)
        assert (got.body, got.headers["connection"]) == (b"released", "close")
        assert connection.rest() == b""


def test_a_peer_that_sends_no_more_gets_its_response_and_the_end(web):
    with web.connect() as connection:
        connection.send(request("/pieces/50/4000"))
        connection.sock.shutdown(socket.SHUT_WR)
        assert connection.until(b"\r\n0\r\n\r\n").count(b"0049") == 1000
        started = time.monotonic()
        assert connection.rest() == b""
        assert time.monotonic() - started < 4  # an idle connection stays for 5 s


def test_idle_connections_leave_slots_for_others(web, release):
    """There are three slots; an idle connection goes when somebody waits for its slot."""
    kept = [web.connect() for _ in range(3)]
    for connection in kept:
        assert answer(connection.send(request("/text"))).status == 200
    waiting = [web.hold() for _ in range(3)]
    release()
    for connection in waiting:
        assert answer(connection).status == 200
    for connection in kept:
        assert connection.rest() == b""
    for connection in (*kept, *waiting):
        connection.close()


def test_the_last_slot_is_not_kept(web, release):
    waiting = [web.hold() for _ in range(2)]
    with web.connect() as connection:
        got = answer(connection.send(request("/text")))
        assert got.headers["connection"] == "close"
    release()
    for connection in waiting:
        assert answer(connection).status == 200
        connection.close()


def test_an_idle_connection_is_closed_after_some_seconds(web):
    with web.connect() as connection:
        assert answer(connection.send(request("/text"))).status == 200
        start = time.monotonic()
        assert connection.rest() == b""
        assert 4 < time.monotonic() - start < 12


def test_a_kept_connection_that_stops_within_a_head_is_dropped(web):
    with web.connect() as connection:
        assert answer(connection.send(request("/text"))).status == 200
        connection.send(b"GET /te")
        with pytest.raises(RefusedError):
            head(connection)
    wait_until(lambda: web.ask("/text").status == 200, "a slot")


# --- files


def damaged(size):
    """A gzip file that promises more content than it has."""
    packed = gzip.compress(b"x" * size, mtime=0)
    return packed[:-4] + (size + 1000).to_bytes(4, "little")


@pytest.fixture(scope="module")
def large(make_board):
    """A board whose heap is large, as with PSRAM."""
    files = {**FILES, "program.json": '{"open_timeout": 1}', "site/damaged.txt.gz": damaged(3000)}
    return Web(make_board(files=files, heap="512k"))


def ask(*what, **headers):
    """A request of a client that, like browsers, asks for an open connection."""
    return request(*what, Connection="keep-alive", **headers)


def test_files_and_routes_share_a_connection_on_a_large_heap(large):
    with large.connect() as connection:
        for _ in range(3):
            got = answer(connection.send(ask("/big.txt")))
            assert (got.status, got.body) == (200, BIG)
            assert "connection" not in got.headers
            got = answer(connection.send(ask("/big.txt", Range="bytes=5-9")))
            assert (got.status, got.body) == (206, BIG[5:10])
            assert answer(connection.send(ask("/big.txt", "HEAD")), True).status == 200
            got = answer(connection.send(ask("/packed.txt", Accept_Encoding="gzip")))
            assert gzip.decompress(got.body) == BIG
            tag = got.headers["etag"]
            fresh = ask("/packed.txt", Accept_Encoding="gzip", If_None_Match=tag)
            assert answer(connection.send(fresh)).status == 304
            assert answer(connection.send(request("/body", "POST", b"hello"))).body == b"hello"
            assert answer(connection.send(request("/upload", "POST", [b"ab"]))).json["size"] == 2
        connection.open("/ws").send(b"\x81\x81\0\0\0\0x")
        assert connection.frame() == (1, b"x")


@pytest.mark.parametrize(
    "data",
    [
        ask("/big.txt", "GET", b"body"),
        ask("/big.txt", "GET", [b"body"]),
        ask("/big.txt", version="1.0"),
        request("/big.txt"),
        request("/big.txt", Connection="close"),
        ask("/big.txt") + b"GET",
        ask("/none.txt"),
    ],
)
def test_a_file_ends_the_connection_when_it_must(large, data):
    with large.connect() as connection:
        connection.send(request("/text"))
        assert answer(connection).status == 200
        connection.send(data)
        assert answer(connection).headers["connection"] == "close"
        assert connection.rest() == b""


def test_a_file_that_is_too_short_ends_the_connection(large):
    with large.connect() as connection, pytest.raises(RefusedError):
        answer(connection.send(ask("/damaged.txt")))


def test_a_file_ends_the_connection_on_a_small_heap(make_web):
    with make_web(heap="192k").connect() as connection:
        assert answer(connection.send(ask("/big.txt"))).headers["connection"] == "close"
        assert connection.rest() == b""
