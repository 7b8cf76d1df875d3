"""How connections end on a live board: codes, reasons, on_close exactly once, time limits, errors
of the application.
"""

import time

import pytest

from tests.wsserver.conftest import REQUEST
from tools.wsclient import CLOSE, TEXT, close, frame


def ends(lab, path, position):
    """The (code, reason) with which on_close was called for the client that has come to `path`
    since the log's position, exactly once. Clients of earlier tests may leave meanwhile.
    """
    found = lab.wait_for_log(
        rf"opened (\d+) {path}\s[^\0]*?closed \1 {path} (\d+) (.*?) ?\d+ left", since=position
    )
    assert lab.log[position:].count(f"closed {found[1]} {path} ") == 1
    return int(found[2]), found[3]


def test_a_close_by_the_client_is_echoed_and_the_board_closes_tcp(raw, lab):
    position = lab.log_position
    connection = raw(lab).open().send(close(1000, b"had enough"))
    assert connection.frame() == (CLOSE, b"\x03\xe8")
    assert connection.rest() == b""
    assert ends(lab, "/ws", position) == (1000, "had enough")


def test_a_close_without_a_code_is_reported_as_1005(raw, lab):
    position = lab.log_position
    connection = raw(lab).open().send(close())
    assert connection.frame() == (CLOSE, b"")
    assert ends(lab, "/ws", position) == (1005, "")


def test_a_client_that_is_gone_is_reported_as_1006(raw, lab):
    for leave in ("close", "reset"):
        position = lab.log_position
        getattr(raw(lab).open(), leave)()
        assert ends(lab, "/ws", position)[0] == 1006


def test_the_application_closes_with_its_code_and_reason_and_nothing_is_sent_after(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/closes").send(frame(TEXT, b"4001 genug"))
    assert connection.frame() == (CLOSE, (4001).to_bytes(2, "big") + b"genug")
    connection.send(close(4001))
    assert connection.rest() == b""
    assert ends(lab, "/closes", position) == (4001, "genug")
    assert "sent after close" not in lab.log[position:]


@pytest.mark.parametrize("answer", [close(1000), close()])
@pytest.mark.parametrize(
    "path, text, expected",
    [("/closes", b"4001 genug", (4001, "genug")), ("/raises", b"x", (1011, "internal error"))],
)
def test_an_answer_with_another_code_does_not_replace_the_servers(
    raw, lab, path, text, expected, answer
):
    position = lab.log_position
    connection = raw(lab).open(path).send(frame(TEXT, text))
    assert connection.close_code() == expected[0]
    connection.send(answer)
    assert ends(lab, path, position) == expected
    lab.wait_for_log(r"disconnected: %d %s" % expected, since=position)


def test_a_close_with_a_reason_of_its_own_crosses_that_of_the_server(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/closes").send(frame(TEXT, b"4001 genug"))
    assert connection.close_code() == 4001
    connection.send(close(1001, b"page closed"))
    assert ends(lab, "/closes", position) == (1001, "page closed")


@pytest.mark.parametrize(
    "argument, named", [(b"1006", b"1006"), (b"999", b"999"), (b"1000 " + b"x" * 124, b"123")]
)
def test_a_code_or_reason_that_cannot_be_sent_is_refused_by_name(raw, lab, argument, named):
    connection = raw(lab).open("/closes").send(frame(TEXT, argument))
    assert named in connection.frame()[1]


def test_a_client_that_does_not_answer_a_close_is_left_after_close_timeout(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/closes").send(frame(TEXT, b"1000"))
    started = time.monotonic()
    assert connection.close_code() == 1000
    assert connection.rest() == b""
    assert 0.5 < time.monotonic() - started < 10  # close_timeout is 1 s
    assert ends(lab, "/closes", position)[0] == 1006


def test_after_a_protocol_error_tcp_is_closed_even_if_the_client_stays_silent(raw, lab):
    position = lab.log_position
    connection = raw(lab).open().send(frame(TEXT, b"x", masked=False))
    assert connection.close_code() == 1002
    assert connection.rest() == b""
    assert ends(lab, "/ws", position) == (1006, "frame is not masked")


def test_after_a_protocol_error_the_clients_close_ends_it_at_once(raw, lab):
    position = lab.log_position
    connection = raw(lab).open().send(frame(TEXT, b"x", reserved=1))
    assert connection.close_code() == 1002
    connection.send(close(1002))
    assert connection.rest() == b""
    assert ends(lab, "/ws", position) == (1002, "reserved bit set")


def test_connects_and_disconnects_are_logged_at_info_level(raw, lab):
    position = lab.log_position
    connection = raw(lab).open()
    lab.wait_for_log(r"\[20\] client (\d+) connected from 127.0.0.1 to /ws", since=position)
    connection.send(close(1000))
    lab.wait_for_log(r"\[20\] client (\d+) disconnected: 1000", since=position)


def test_stop_closes_every_client_with_1001_and_frees_the_port(raw, make_lab):
    board = make_lab()
    client, control = raw(board).open(), raw(board).open("/control")
    control.send(frame(TEXT, b"stop"))
    for connection in (client, control):
        assert connection.close_code() == 1001
        connection.send(close(1001))
        assert connection.rest() == b""
    board.wait_for_log("server has stopped")
    with pytest.raises(OSError):
        raw(board).open()


AGAIN = """
import gc, socket, time
from wsserver import Server

REQUEST = %r

class Echo:
    def on_message(self, client, message):
        client.send(message)

def once():
    server = Server()
    server.websocket("/ws", Echo())
    server.every(10, lambda: None)
    server.listen(80)
    peer = socket.socket()
    peer.connect(socket.getaddrinfo("127.0.0.1", 80)[0][-1])
    peer.setblocking(False)
    peer.write(REQUEST)
    started = time.ticks_ms()
    while not server.clients:
        server.step(10)
        if time.ticks_diff(time.ticks_ms(), started) > 5000:
            raise RuntimeError("no client")
    peer.write(b"\\x88\\x80\\1\\2\\3\\4")
    server.stop()
    assert not server.clients
    peer.close()

sizes = []
for count in range(100):
    once()
    if count in (9, 99):
        gc.collect()
        sizes.append(gc.mem_alloc())
print("heap", sizes[0], sizes[1])
""" % REQUEST.format(path="/ws").encode()


def test_a_hundred_starts_and_stops_leak_neither_sockets_nor_heap(make_board):
    board = make_board(files={"main.py": AGAIN}, wait=False)
    found = board.wait_for_log(r"heap (\d+) (\d+)", timeout=60)
    assert int(found[2]) <= int(found[1]) + 200
