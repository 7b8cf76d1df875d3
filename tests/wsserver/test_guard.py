"""Who gets in, what one address may do, and callbacks that take too long."""

import base64
import itertools
import json
import time
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tests.wsserver.peer import handshake
from tests.wsserver.web import Web
from tools.wsclient import TEXT, frame

GUARDED = Path(__file__).with_name("guarded.py").read_text()
SELDOM = """
import needed_by_it

class Endpoint:
    def __init__(self, text):
        self.text = text
    def on_open(self, client):
        client.send(self.text)
    def on_message(self, client, message):
        client.send(message)
    def on_close(self, client, code, reason):
        print("seldom closed", code)

def endpoint(server, text):
    return Endpoint(text)
"""
FILES = {
    "main.py": GUARDED,
    "lib/seldom.py": SELDOM,
    "lib/needed_by_it.py": "",
    "lib/urgent.py": "from seldom import endpoint",
    "lib/broken.py": "1 / 0",
    "lib/hungry.py": "def endpoint(server):\n    return bytearray(10000000)",
}


@pytest.fixture(scope="module")
def make_guarded(make_board):
    """make_guarded(portal=None, connections=None, ...): a board that runs guarded.py."""

    def make(portal=None, **limits):
        guarded = json.dumps({"portal": portal, "limits": limits})
        return make_board(files={**FILES, "guarded.json": guarded}, heap="256k")

    return make


@pytest.fixture(scope="module")
def board(make_guarded):
    return make_guarded(portal="http://192.168.4.1/")


_addresses = itertools.count(2)


@pytest.fixture
def address():
    """An address that has never spoken to the board."""
    return f"127.0.0.{next(_addresses)}"


@pytest.fixture
def ask(board):
    """ask(path, header, ...) -> (status, headers) of the answer to a handshake."""

    def ask(path, *headers, source=None, board=board, host="board"):
        data = handshake(path, *headers, host=host).encode()
        return Web(board).raw(data, source=source)[:2]

    return ask


def bearer(secret):
    return "Authorization: Bearer " + secret


def offer(secret):
    text = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    return "Sec-WebSocket-Protocol: chat, bearer." + text


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# --- secrets


@pytest.mark.parametrize(
    "path, header",
    [
        ("/token", bearer("s3cret/+")),
        ("/token", offer("s3cret/+")),
        ("/token?a=b&token=s3cret%2F%2B", "X: y"),
        ("/basic", basic("admin", "pass:word")),
    ],
)
def test_who_knows_the_secret_gets_in(ask, path, header):
    assert ask(path, header)[0] == 101


def test_the_subprotocol_with_the_secret_is_never_the_one_that_is_agreed_on(ask):
    assert ask("/token", offer("s3cret/+"))[1]["sec-websocket-protocol"] == "chat"


TOKEN = "Bearer"
BASIC = 'Basic realm="board", charset="UTF-8"'


@pytest.mark.parametrize(
    "path, header, challenge",
    [
        ("/token", "X: y", TOKEN),
        ("/token", basic("admin", "s3cret/+"), TOKEN),
        ("/basic", bearer("pass:word"), BASIC),
        ("/basic?token=pass:word", "X: y", BASIC),
    ],
)
def test_who_brings_no_secret_of_the_right_kind_is_asked_for_one_again_and_again(
    ask, address, path, header, challenge
):
    for _ in range(7):
        status, headers = ask(path, header, source=address)
        assert (status, headers["www-authenticate"]) == (401, challenge)


@pytest.mark.parametrize(
    "path, header",
    [
        ("/token", bearer("s3cret")),
        ("/token", bearer("s3cret/+x")),
        ("/token", bearer("s3cret/+s3cret/+")),
        ("/token", "Authorization: Bearer"),
        ("/token", offer("S3cret/+")),
        ("/token", "Sec-WebSocket-Protocol: chat, bearer.$$$"),
        ("/token?token=", "X: y"),
        ("/token?token=s3cret/", "X: y"),
        ("/basic", basic("admin", "password")),
        ("/basic", basic("root", "pass:word")),
        ("/basic", "Authorization: Basic $$$"),
    ],
)
def test_a_wrong_secret_gets_401_and_after_five_of_them_429_even_with_the_right_one(
    ask, address, path, header
):
    right = basic("admin", "pass:word") if path == "/basic" else bearer("s3cret/+")
    # Known addresses do not share a limit with others, such as those of the other tests.
    assert ask(path.split("?")[0], right, source=address)[0] == 101
    answers = [ask(path, header, source=address)[0] for _ in range(6)]
    assert answers == [401] * 5 + [429]
    path = path.split("?")[0]
    status, headers = ask(path, right, source=address)
    assert (status, headers["retry-after"]) == (429, "60")
    assert ask(path, right)[0] == 101  # from another address


def test_a_query_that_cannot_be_decoded_gets_400(ask):
    assert ask("/token?token=%zz")[0] == 400


def test_the_secret_is_asked_for_before_anything_is_said_of_the_upgrade(raw, board):
    request = "GET /token HTTP/1.1\r\nHost: board\r\n{}\r\n"
    for header, status in (("", b"401"), (bearer("s3cret/+") + "\r\n", b"426")):
        answer = raw(board).send(request.format(header).encode()).until(b"\r\n")
        assert answer.split()[1] == status


def test_no_secret_is_in_the_log(ask, board):
    ask("/token?token=s3cret%2F%2B")
    ask("/token", bearer("s3cret/+"))
    assert "s3cret" not in board.log


# --- names


@pytest.mark.parametrize(
    "host",
    ["board", "BOARD.local", "board:8080", "192.168.4.1", "127.0.0.1:80", "[fe80::1]", "[::1]:80"],
)
def test_the_board_answers_to_its_names_and_to_addresses(ask, host):
    assert ask("/ws", host=host)[0] == 101


@pytest.mark.parametrize(
    "host", ["evil.example", "board.evil.example", "board.local.evil.example", "192.168.4.1.com"]
)
def test_a_handshake_for_another_name_gets_421(ask, host):
    assert ask("/ws", host=host)[0] == 421


def test_a_page_of_another_name_is_sent_to_the_portal_or_refused_where_there_is_none(
    raw, board, make_guarded
):
    request = b"GET /generate_204 HTTP/1.1\r\nHost: connectivity.example\r\n\r\n"
    answer = raw(board).send(request).until(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 302")
    assert b"\r\nLocation: http://192.168.4.1/\r\n" in answer
    answer = raw(make_guarded()).send(request).until(b"\r\n")
    assert answer.startswith(b"HTTP/1.1 421")


# --- limits for each address


def is_let_in(raw, board):
    try:
        raw(board).open()
    except (AssertionError, OSError):
        return False
    return True


def test_more_connections_of_one_address_are_closed_at_once(raw, make_guarded, address):
    board = make_guarded(connections=2)
    first, second = raw(board).open(), raw(board).open()
    assert not is_let_in(raw, board)
    assert raw(board, source=address).open().send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    first.close()
    wait_until(lambda: is_let_in(raw, board), "a place")
    assert second.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    board.wait_for_log(r"refused 127\.0\.0\.1: too many connections \(limits\.connections\)")


def test_more_requests_of_one_address_in_a_minute_get_429(ask, make_guarded, address):
    board = make_guarded(handshakes=3)
    answers = [ask("/ws", board=board)[0] for _ in range(5)]
    assert answers == [101, 101, 101, 429, 429]
    assert ask("/ws", board=board, source=address)[0] == 101


@pytest.mark.parametrize(
    "limits, message, fits",
    [({"messages": 20}, b"x", 30), ({"bytes": 2000}, b"x" * 94, 30)],
)
def test_who_sends_more_than_its_address_may_is_closed_with_1008(
    raw, make_guarded, address, limits, message, fits
):
    board = make_guarded(**limits)
    other = raw(board, source=address).open()
    connection = raw(board).open()
    connection.send(frame(TEXT, message) * fits)  # twice the rate may come at once
    for _ in range(fits):
        assert connection.frame() == (TEXT, message)
    connection.send(frame(TEXT, message) * 400)
    assert connection.close_code() == 1008
    assert other.send(frame(TEXT, message)).frame() == (TEXT, message)


def test_a_client_knows_how_much_has_come_from_it(raw, board):
    connection = raw(board).open("/counts")
    assert connection.send(frame(TEXT, b"abc")).frame()[1] == b"0 9"
    assert connection.send(frame(TEXT, b"abc")).frame()[1] == b"1 18"
    connection.send(frame(TEXT, b"ab", final=False) + frame(0, b"c"))
    assert connection.frame()[1] == b"3 33"


# --- callbacks that take too long


@pytest.mark.parametrize(
    "query, message, name", [("", b"300", "on_message"), ("?250", b"0", "on_open")]
)
def test_a_slow_callback_is_named_and_breaks_nothing(raw, board, query, message, name):
    position = board.log_position
    connection = raw(board).open("/slow" + query)
    assert connection.send(frame(TEXT, message)).frame() == (TEXT, b"done")
    board.wait_for_log(rf"slow: {name} of /slow took [23]\d\d ms", since=position)
    assert board.log[position:].count("slow: ") == 1
    assert connection.send(frame(TEXT, b"0")).frame() == (TEXT, b"done")


def test_a_slow_timer_is_named(make_board):
    program = (
        "import time\nfrom wsserver import Server\n"
        "def dawdle():\n    time.sleep_ms(250)\n"
        "server = Server()\nserver.after(1, dawdle)\nserver.listen(80)\nserver.run()"
    )
    make_board(files={"main.py": program}).wait_for_log(r"slow: timer dawdle took 2\d\d ms")


SLOW_REQUESTS = """
import time
from wsserver import Server


class Slow:
    def check(self, request, ip):
        time.sleep_ms(250)


server = Server()
server.websocket("/door", object(), access=Slow())
server.listen(80)
server.run()
"""


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([b"GET /door?token=sesame HTTP/1.1\r\nHost: x\r\n\r\n"], "GET /door"),
        ([b"HEAD /door HTTP/1.1\r\nHost: x\r\n\r\n"], "HEAD /door"),
        ([b"GET /door HTTP/1.1\r\n", b"Host: x\r\n\r\n"], "a request of 127.0.0.1"),
        ([b"GET /door HTTP/1.1\r\n" + b"X: \xff\r\nHost: x\r\n\r\n"], "GET /door"),
    ],
)
def test_a_slow_request_is_named_without_its_secrets(raw, make_board, parts, name):
    board = make_board(files={"main.py": SLOW_REQUESTS})
    connection = raw(board)
    for part in parts:
        connection.send(part)
        time.sleep(0.1)
    connection.rest()
    board.wait_for_log(rf"slow: {name} took [23]\d\d ms and blocked the server")
    assert "sesame" not in board.log


# --- endpoints that are loaded on demand


def loaded(connection, name):
    return connection.send(frame(TEXT, name.encode())).frame()[1] == b"True"


def test_an_endpoint_on_demand_is_loaded_for_the_first_client_and_dropped_with_the_last(
    raw, board
):
    watcher = raw(board).open("/modules")
    assert not loaded(watcher, "seldom")
    clients = [raw(board).open("/seldom") for _ in range(2)]
    for client in clients:
        assert client.frame() == (TEXT, b"hello")
        assert client.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    clients[0].close()
    board.wait_for_log("seldom closed 1006")
    assert loaded(watcher, "seldom")
    assert loaded(watcher, "needed_by_it")
    position = board.log_position
    clients[1].close()
    board.wait_for_log("seldom closed 1006", since=position)
    wait_until(lambda: not loaded(watcher, "seldom"), "the module to be dropped")
    assert not loaded(watcher, "needed_by_it")
    assert raw(board).open("/seldom").frame() == (TEXT, b"hello")


def test_an_endpoint_that_cannot_be_loaded_costs_only_who_asks_for_it(raw, board):
    assert raw(board).open("/broken").close_code() == 1011
    board.wait_for_log("ZeroDivisionError")
    assert raw(board).open("/hungry").close_code() == 1013
    board.wait_for_log("/hungry: not enough memory for hungry")
    assert raw(board).open().send(frame(TEXT, b"x")).frame() == (TEXT, b"x")


def test_an_endpoint_whose_memory_is_not_free_is_not_loaded(raw, board):
    watcher = raw(board).open("/modules")
    assert raw(board).open("/patient").close_code() == 1013
    assert not loaded(watcher, "seldom")


def test_an_urgent_endpoint_without_memory_unloads_the_others(raw, board):
    watcher = raw(board).open("/modules")
    seldom = raw(board).open("/seldom")
    assert seldom.frame() == (TEXT, b"hello")
    urgent = raw(board).open("/urgent")
    assert urgent.frame() == (TEXT, b"now")
    assert seldom.close_code() == 1013
    board.wait_for_log("/seldom: urgent needs the memory")
    assert loaded(watcher, "urgent")
    assert urgent.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")


def test_an_urgent_endpoint_without_memory_drops_unfinished_messages(raw, board):
    idle = raw(board).open()
    holders = [raw(board).open("/counts") for _ in range(2)]
    holders[0].send(frame(TEXT, b"a" * 3000, final=False))  # a fragment
    holders[1].send(frame(TEXT, b"a" * 3000)[:2000])  # a part of a frame
    reading = raw(board).open("/counts").send(frame(TEXT, b"x"))
    assert reading.frame()[0] == TEXT  # so the board has read the others, too
    urgent = raw(board).open("/urgent")
    assert urgent.frame() == (TEXT, b"now")
    for holder in holders:
        assert holder.rest() == b""
    for other in (idle, reading, urgent):
        assert other.send(frame(TEXT, b"x")).frame()[0] == TEXT
