"""Sizes and times at which the behaviour changes, each from both sides."""

import time

import pytest

from tests.wsserver.programs import run_script
from tests.wsserver.web import Web, answer, request
from tools.wsclient import CONTINUATION, PING, PONG, TEXT, frame

# --- buffers

PROTOCOL = """
import gc

from wsserver.core import frames
from wsserver.core.buffers import BufferPool
from wsserver.core.protocol import Protocol
from wsserver.http.routes import make_route


class Endpoint:
    def on_message(self, client, message):
        pass


def protocol(write_limit, overflow="drop"):
    pool = BufferPool(1000, write_limit, print)
    return Protocol(make_route(Endpoint(), overflow=overflow), pool)


def waiting(connection):
    return connection._out_end - connection._out_start


"""


def test_a_full_send_buffer_still_takes_a_ping_and_a_close(lib, tmp_path):
    source = """
from wsserver.clientmethods import ping
connection = protocol(1000)
print(connection.send(bytes(996)), connection.send(b""), waiting(connection))
print(ping(connection, bytes(125)), ping(connection, bytes(125)), waiting(connection))
connection.close(3000, "x" * 123)
print(waiting(connection))
"""
    output = run_script(lib, PROTOCOL + source, tmp_path)
    assert output == "True False 1000\nTrue False 1127\n1254\n"


def test_a_message_that_fits_exactly_into_the_send_buffer_is_taken(lib, tmp_path):
    source = """
connection = protocol(600)
print(connection.send(b"a" * 296), connection.send(b"b" * 296), connection.send(b""))
connection._out_start = 300  # the network has taken the first
print(connection.send(b"c" * 297), connection.send(b"d" * 296), waiting(connection))
out = bytes(connection._out[connection._out_start : connection._out_end])
print(out.count(b"b"), out.count(b"d"))
"""
    output = run_script(lib, PROTOCOL + source, tmp_path)
    assert output == "True True False\nFalse True 600\n296 296\n"


def test_the_header_of_a_long_message_must_fit_too(lib, tmp_path):
    source = """
for kind in bytes, bytearray:  # other code sends the latter
    for size, header in (125, 2), (126, 4), (65535, 4), (65536, 10):
        taken = [protocol(size + room).send(kind(size)) for room in (header - 1, header)]
        assert taken == [False, True], (kind, size)
"""
    output = run_script(lib, PROTOCOL + source, tmp_path)
    assert output.count("can never be sent") == 8


def test_native_code_keeps_no_reference_to_a_message(lib, tmp_path):
    source = """
from array import array

try:
    from wsserver.core import native
    cell = native._cell
except (ImportError, AttributeError, SyntaxError):
    cell = array("i", (0, 0, 0, 0))
connection = protocol(100000)
word = len(bytes(memoryview(cell))) // len(cell)
for message in ("text", b"bytes", b"x" * 3000, "x" * 3000, 5, bytearray(10)):
    try:
        connection.send(message)
    except TypeError:
        pass
    assert bytes(memoryview(cell))[:word] == bytes(word), message
buf = memoryview(bytearray(b"\\x81\\x84\\0\\0\\0\\0abcd\\x82\\x84\\0\\0\\0\\0abcd"))
seen = []
frames.deliver(0, len(buf), 100, buf, connection, lambda _, data: seen.append(data),
               array("i", (0, 0)))
print(seen)
assert bytes(memoryview(cell))[:word] == bytes(word)
"""
    assert run_script(lib, PROTOCOL + source, tmp_path) == "['abcd', b'abcd']\n"


# --- requests


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        ("[::1]", True),
        ("[::1]:80", True),
        ("[fe80::1]:8080", True),
        ("[::1]:8", True),
        ("[::1]:", True),
        ("[::1]:80x", False),
        ("[::1]:x", False),
        ("[::1]:x8", False),
        ("[::1]:-1", False),
        ("[::1]80", False),
        ("[::1]x", False),
        ("[::1", False),
        ("[]", False),
        ("board:80", True),
        ("board:80x", False),
    ],
)
def test_the_port_of_a_host_must_be_a_number(lib, tmp_path, host, valid):
    source = f"""
from wsserver.http.request import HTTPError, parse_request

try:
    parse_request(b"GET / HTTP/1.1\\r\\nHost: {host}")
    print("valid")
except HTTPError as error:
    print(error.status)
"""
    assert run_script(lib, source, tmp_path) == ("valid\n" if valid else "400\n")


# --- times

APP = """
from wsserver import Server

class Echo:
    def on_message(self, client, message):
        client.send(message)


server = Server(max_size=4096, open_timeout=10, close_timeout=8, log=lambda level, text: None)
server.websocket("/ws", Echo())
server.files("/", "/site")
server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def board(make_board):
    files = {"main.py": APP, "site/index.html": "page"}
    return make_board(files=files, heap="256k")


def test_fragments_at_the_limit_may_have_a_ping_between_them(raw, board):
    peer, other = raw(board).open(), raw(board).open()
    ping = frame(PING, b"p" * 125)
    for piece in (
        frame(TEXT, b"x" * 4096, final=False),
        ping[:60],
        ping[60:],
        frame(CONTINUATION),
    ):
        peer.send(piece)
        # What was sent before has been read then.
        assert other.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
        assert other.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    assert peer.frame() == (PONG, b"p" * 125)
    assert peer.frame() == (TEXT, b"x" * 4096)


def test_silent_connections_lose_their_slots_after_a_second_when_all_are_taken(raw, board):
    for _ in range(10):
        raw(board)
    started = time.monotonic()
    assert Web(board).ask("/")[::2] == (200, b"page")
    assert time.monotonic() - started < 9  # open_timeout is 10 s, and they come in groups of three


def test_a_silent_connection_keeps_its_slot_while_there_are_others(raw, board):
    peer = raw(board)
    time.sleep(1.5)  # longer than it could if all slots were taken
    assert peer.send(request("/")) and answer(peer).body == b"page"


def seconds_until_end(peer):
    started = time.monotonic()
    assert peer.rest() == b""
    return time.monotonic() - started


def test_an_answered_connection_that_is_not_closed_is_dropped_after_half_a_second(raw, board):
    peer = raw(board).send(b"GET /none HTTP/1.1\r\nHost: board\r\n\r\n")
    peer.until(b"\r\n\r\n")
    peer.until(b"\n")
    assert 0.3 < seconds_until_end(peer) < 6


def test_a_slow_request_leaves_as_much_time_to_read_the_answer(raw, board):
    peer = raw(board).send(b"GET /none HTTP/1.1\r\n")
    time.sleep(2.3)  # longer than an answered connection stays if it is not silent
    peer.send(b"Host: board\r\n\r\n").until(b"\r\n\r\n")
    peer.until(b"\n")
    assert 0.3 < seconds_until_end(peer) < 6


def test_after_a_protocol_error_a_silent_peer_is_dropped_after_half_a_second(raw, board):
    peer = raw(board).open().send(frame(TEXT, b"x", masked=False))
    assert peer.close_code() == 1002
    assert 0.3 < seconds_until_end(peer) < 6  # close_timeout is 8 s
