"""Server-Sent Events on a live board, with raw connections."""

import json
import time

import pytest

from tests.waiting import wait_until
from tests.wsserver.web import answer, head, request
from tools.wsclient import RefusedError


def subscribe(web, path="/events", **headers):
    connection = web.connect(receive_buffer=headers.pop("receive_buffer", None))
    connection.send(request(path, **headers))
    status, found = head(connection)
    assert (status, found["content-type"]) == (200, "text/event-stream"), status
    assert "content-length" not in found
    if path == "/events":
        assert connection.until(b"\n\n") == b"retry: 100\n\n"
    return connection


def send(web, **event):
    return web.ask("/send", "POST", json.dumps(event).encode()).json["count"]


def test_all_clients_get_an_event(web):
    with subscribe(web) as one, subscribe(web) as two:
        assert send(web, data="hello") == 2
        for connection in (one, two):
            assert connection.until(b"\n\n") == b"data: hello\n\n"


def test_an_event_has_a_type_an_id_and_lines(web):
    with subscribe(web) as connection:
        send(web, data="a\nb\r\nc\r\n", event="changed", id="7 ü")
        expected = "id: 7 ü\nevent: changed\ndata: a\ndata: b\ndata: c\ndata: \n\n"
        assert connection.until(b"\n\n").decode() == expected
        send(web, data={"a": [1]}, id=8)
        assert connection.until(b"\n\n") == b'id: 8\ndata: {"a": [1]}\n\n'


@pytest.mark.parametrize(
    "event",
    [
        {"data": 1},
        {"data": None},
        {"data": "x", "event": "a\nb"},
        {"data": "x", "event": 1},
        {"data": "x", "id": "a\u0000b"},
        {"data": "x", "id": [1]},
        {"data": "x" * 5000},
    ],
)
def test_an_event_that_is_not_valid_is_refused(web, event):
    with subscribe(web) as connection:
        assert web.ask("/send", "POST", json.dumps(event).encode()).status in (413, 500)
        send(web, data="next")
        assert connection.until(b"\n\n") == b"data: next\n\n"


@pytest.mark.parametrize(
    ("which", "problem"),
    [
        *enumerate(("JSON has no nan", "JSON has no inf", "type set", "key of the type Thing")),
        *enumerate(("UnicodeError", "surrogate", "data must be", "data must be", "data"), 4),
    ],
)
def test_data_that_json_cannot_express_is_not_sent(web, which, problem):
    with subscribe(web) as connection:
        assert problem in web.ask(f"/send-wrong/{which}").body.decode()
        send(web, data="next")
        assert connection.until(b"\n\n") == b"data: next\n\n"


def test_a_client_that_reconnects_gets_what_it_has_missed(web):
    for number in range(1, 7):
        send(web, data="%d" % number, id=number)
    with subscribe(web, Last_Event_ID="4") as connection:
        assert connection.until(b"data: 6\n\n") == b"id: 5\ndata: 5\n\nid: 6\ndata: 6\n\n"
    with subscribe(web, Last_Event_ID="1") as connection:  # the oldest are not kept
        assert connection.until(b"\n\n") == b"id: 3\ndata: 3\n\n"
    with subscribe(web, Last_Event_ID="6") as one, subscribe(web) as two:
        send(web, data="new")
        for connection in (one, two):
            assert connection.until(b"\n\n") == b"data: new\n\n"


def test_events_without_an_id_are_not_kept(web):
    send(web, data="kept", id="a")
    send(web, data="not kept")
    send(web, data="kept, too", id="b")
    with subscribe(web, Last_Event_ID="a") as connection:
        assert connection.until(b"\n\n") == b"id: b\ndata: kept, too\n\n"
        send(web, data="new")
        assert connection.until(b"\n\n") == b"data: new\n\n"


def test_on_open_can_greet_a_client(web):
    with subscribe(web, "/greeted?name=tom") as connection:
        assert connection.until(b"\n\n") == b"data: hello tom\n\n"


def test_clients_of_events_count_as_clients(web):
    """The board has six clients; HTTP connections are not used up."""
    streams = [subscribe(web) for _ in range(5)]
    with web.connect() as client:
        client.open("/ws")
        refused = web.ask("/events")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        with web.connect() as other, pytest.raises(RefusedError, match="503"):
            other.open("/ws")
        assert send(web, data="x") == 5
    for stream in streams:
        stream.close()
    wait_until(lambda: send(web, data="x") == 0, "the streams to end")


def test_a_slow_client_is_dropped_and_others_get_all(make_web):
    web = make_web()
    with subscribe(web, receive_buffer=2048) as slow, subscribe(web) as fast:
        sent = 0
        while "too slow for events" not in web.board.log:
            assert sent < 3000
            send(web, data="x" * 2000)
            assert fast.until(b"\n\n") == b"data: " + b"x" * 2000 + b"\n\n"
            sent += 1
        received = slow.rest()
        assert received.count(b"\n\n") < sent
        assert send(web, data="more") == 1


def test_many_events_at_once_arrive_in_order(web):
    with subscribe(web) as connection:
        assert send(web, data="x" * 300, count=18) == 18
        assert connection.read(18 * 308) == (b"data: " + b"x" * 300 + b"\n\n") * 18


def test_an_idle_stream_gets_comments_and_is_not_dropped(make_web):
    web = make_web(ping_interval=0.2, open_timeout=0.5)
    with subscribe(web) as connection:
        start = time.monotonic()
        assert connection.read(12) == b":\n\n" * 4
        assert time.monotonic() - start > 0.5
        assert send(web, data="x") == 1


def test_a_client_that_leaves_makes_room_although_no_event_is_sent(web):
    for _ in range(8):  # the board has six clients
        subscribe(web).close()


def test_clients_that_come_again_get_no_more_comments(make_web):
    web = make_web(ping_interval=0.3)
    for _ in range(3):
        subscribe(web).close()
        wait_until(lambda: send(web, data="x") == 0, "the stream to end")
    start = time.monotonic()
    with subscribe(web) as connection:
        assert connection.read(15) == b":\n\n" * 5
        assert time.monotonic() - start > 1.3


def test_head_of_events_and_bad_arguments_are_answered(web):
    with web.connect() as connection:
        connection.send(request("/events", "HEAD"))
        assert head(connection)[1]["content-type"] == "text/event-stream"
        assert connection.rest() == b""
    assert web.ask("/events", "POST", b"").headers["allow"] == "GET, HEAD, OPTIONS"
    with web.connect() as connection:
        connection.send(request("/events", Origin="http://evil"))
        assert answer(connection).status == 403
