"""HTTP on a live board: handshakes accepted and refused, files, limits on heads."""

import socket
import time

import pytest

from tests.wsserver.conftest import REQUEST, SITE, wait_alone
from tests.wsserver.web import Web
from tools.wsclient import TEXT, close, frame


def get(board, path, method="GET"):
    return Web(board).ask(path, method)


def test_a_websocket_path_without_upgrade_gets_426(served):
    status, headers, _ = get(served, "/ws")
    assert (status, headers["upgrade"]) == (426, "websocket")


def test_an_unknown_path_gets_404(served):
    assert get(served, "/nowhere")[0] == 404
    assert Web(served).raw(REQUEST.format(path="/nowhere").encode())[0] == 404


def test_another_method_gets_405(served):
    for path in ("/ws", "/"):
        status, headers, _ = get(served, path, "POST")
        assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_head_that_is_too_large_gets_431(served):
    status, _, body = Web(served).raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 3000)
    assert status == 431
    assert b"2048" in body


def test_a_head_that_comes_byte_by_byte_is_accepted(raw, served):
    connection = raw(served)
    for byte in REQUEST.format(path="/ws").encode():
        connection.send(bytes([byte]))
        time.sleep(0.001)  # else the board reads many of them at once
    assert connection.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")


def test_a_head_that_is_not_complete_in_time_is_closed(raw, lab):
    connection = raw(lab).send(b"GET /ws HTTP/1.1\r\n")
    started = time.monotonic()
    assert connection.rest() == b""
    assert 0.5 < time.monotonic() - started < 10  # open_timeout is 1 s


def test_frames_sent_together_with_the_request_are_not_lost(raw, served):
    connection = raw(served).open(then=frame(TEXT, b"early") + frame(TEXT, b"bird")[:5])
    assert connection.frame() == (TEXT, b"early")
    connection.send(frame(TEXT, b"bird")[5:])
    assert connection.frame() == (TEXT, b"bird")


def test_the_query_is_not_part_of_the_path(raw, lab):
    connection = raw(lab).open("/describes?a=1&b=2")
    assert b'"query": "a=1&b=2"' in connection.frame()[1]


def test_files_are_served_with_their_type(lab):
    status, headers, body = get(lab, "/")
    assert (status, body.decode()) == (200, SITE["site/index.html"])
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert get(lab, "/app.js")[1]["content-type"] == "text/javascript; charset=utf-8"
    assert get(lab, "/sub/")[2] == b"sub"
    assert get(lab, "/a%20b.txt?x=1")[2] == b"space"


def test_a_file_larger_than_any_buffer_arrives_whole(lab):
    assert get(lab, "/big.txt")[2].decode() == SITE["site/big.txt"]


@pytest.mark.parametrize(
    "path",
    [
        "/../main.py",
        "/sub/../../main.py",
        "/%2e%2e/main.py",
        "/..%2fmain.py",
        "/.hidden",
        "/sub",
        "/%00",
        "/\\..\\main.py",
    ],
)
def test_nothing_outside_the_folder_and_nothing_hidden_is_served(lab, path):
    assert get(lab, path)[0] == 404


def test_slow_requests_do_not_keep_others_out(raw, lab):
    slow = [raw(lab).send(b"GET ") for _ in range(8)]
    connection = raw(lab).open()
    connection.send(frame(TEXT, b"still here"))
    assert connection.frame() == (TEXT, b"still here")
    assert all(connection.rest() == b"" for connection in slow)


def test_connections_that_vanish_at_any_point_of_the_handshake_leave_nothing_behind(raw, lab):
    request = REQUEST.format(path="/ws").encode()
    for length in range(0, len(request) + 1, 7):
        raw(lab).send(request[:length]).reset()
    wait_alone(raw(lab).open("/control"))


def test_an_answered_request_is_closed_even_if_the_client_does_not(raw, served):
    connection = raw(served).send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.rest().startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_sends_no_more_still_gets_the_whole_answer(raw, lab):
    connection = raw(lab, receive_buffer=4096)
    connection.send(b"GET /big.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection.sock.shutdown(socket.SHUT_WR)
    assert connection.rest().split(b"\r\n\r\n", 1)[1].decode() == SITE["site/big.txt"]


def test_an_upload_does_not_cost_the_client_its_answer(raw, served):
    connection = raw(served).send(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(50000)
    )
    assert connection.until(b"\r\n\r\n").startswith(b"HTTP/1.1 405")


def test_every_listener_serves(raw, make_lab):
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    port = other.getsockname()[1]
    other.close()
    board = make_lab(ports=(80, port))
    for where in (board.http_port, port):
        connection = raw(board, port=where).open().send(frame(TEXT, b"x"))
        assert connection.frame() == (TEXT, b"x")
        connection.send(close(1000))
        assert connection.close_code() == 1000
