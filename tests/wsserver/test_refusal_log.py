"""The log lines of refused requests, and text of peers in the log."""

import itertools
import re
import time

import pytest

from tests.wsserver.peer import Servers, handshake, plain
from tests.wsserver.web import Web
from tools.wsclient import TEXT, close, frame

_addresses = itertools.count(2)


@pytest.fixture(scope="module")
def servers(make_board):
    # One server for each refusal, so that the rate limit of one log hides nothing of another.
    names = {"attributes": {"hosts": ["board"]}}
    kinds = ["request", "secret", "origin", "path", "method", "host", "upgrade", "head", "version"]
    kinds += ["body", "chunks"]
    return Servers(
        make_board,
        main=names,
        flood=names,
        second=names,
        many={"limits": {"handshakes": 1}},
        full={"server": {"max_clients": 1}},
        connections={"limits": {"connections": 1}},
        **{kind: dict(names) for kind in kinds},
    )


@pytest.fixture
def address():
    """An address that has never spoken to the board."""
    return f"127.0.0.{next(_addresses)}"


def refused(servers, name, since):
    """The line about a refusal of one server."""
    return servers.board.wait_for_log(rf"\[{name} 30\] (refused .*?)\r?\n", since=since)[1]


@pytest.mark.parametrize(
    "name, request_text, status, words",
    [
        ("request", plain("http://"), 400, ["request line"]),
        ("secret", handshake("/token"), 401, ["/token", "authentication required"]),
        ("origin", handshake("/ws", "Origin: null"), 403, ["/ws", "null", "access.origins"]),
        ("path", handshake("/nowhere"), 404, ["/nowhere"]),
        ("method", plain("/", method="PUT"), 405, ["PUT"]),
        ("host", plain(host="evil.example"), 421, ["evil.example", "access.hosts"]),
        ("upgrade", plain("/ws"), 426, ["/ws", "WebSocket"]),
        ("body", handshake("/ws", "Content-Length: 5"), 400, ["/ws", "body"]),
        ("chunks", handshake("/ws", "Transfer-Encoding: chunked"), 400, ["/ws", "body"]),
        ("head", plain("/", "X: " + "x" * 3000), 431, ["2048", "server.max_head"]),
        ("version", plain(version="2.0"), 505, ["HTTP"]),
    ],
)
def test_a_refused_request_leaves_a_line(servers, address, name, request_text, status, words):
    since = servers.board.log_position
    assert servers.ask(request_text, name, source=address).status == status
    line = refused(servers, name, since)
    assert address in line
    assert str(status) in line
    for word in words:
        assert word in line


def test_too_many_requests_leave_a_line_that_names_the_limit(servers, address):
    since = servers.board.log_position
    assert [servers.get(name="many", source=address).status for _ in range(2)] == [200, 429]
    line = refused(servers, "many", since)
    assert address in line
    assert "429" in line
    assert "limits.handshakes" in line


def test_a_full_server_leaves_a_line_that_names_max_clients(servers):
    since = servers.board.log_position
    with servers.open(name="full"):
        assert servers.upgrade(name="full").status == 503
    assert "server.max_clients" in refused(servers, "full", since)


def test_a_connection_too_many_leaves_a_line_that_names_the_limit(servers, address):
    since = servers.board.log_position
    with servers.open(name="connections"), servers.connect("connections") as peer:
        assert peer.rest() == b""
    line = refused(servers, "connections", since)
    assert "127.0.0.1" in line
    assert "limits.connections" in line


def test_wrong_secrets_leave_a_line_without_the_secret(servers, address):
    since = servers.board.log_position
    for path in ("/token?token=hidden1", "/token?x=hidden2"):
        assert servers.upgrade(path, "Authorization: Bearer hidden3", name="second").status == 401
    assert "/token" in refused(servers, "second", since)
    assert "hidden" not in servers.board.log


def test_a_flood_of_refusals_writes_few_lines_and_a_count(servers):
    since = servers.board.log_position
    for number in range(60):
        assert servers.get(f"/nowhere{number}", name="flood").status == 404
    found = servers.board.wait_for_log(r"\[flood 30\] refused (\d+) more", timeout=20, since=since)
    lines = servers.board.log[since:].count("[flood 30] refused")
    assert 9 <= lines <= 12
    assert 40 <= int(found[1]) < 60


def test_what_is_served_leaves_no_line_about_refusals(servers):
    since = servers.board.log_position
    assert servers.get("/").status == 200
    assert servers.ask(plain(method="OPTIONS")).status == 204
    with servers.open() as peer:
        assert peer.echo()
    assert "[main 30] refused" not in servers.board.log[since:]


def test_a_request_that_fails_is_not_called_refused(make_board):
    program = """
from wsserver import Server

server = Server()
server.route("/boom")(lambda request: 1 / 0)
server.listen(80)
server.run()
"""
    board = make_board(files={"main.py": program})
    assert Web(board).ask("/boom").status == 500
    board.wait_for_log(r"failed 127\.0\.0\.1 GET /boom: 500: internal error")
    assert "refused" not in board.log


# --- text of peers

NASTY = ["\n[main 40] forged", "\x1b[2J", "\x07", "\u202e", "\u2028", "\x9b31m", "\u200b", "\x7f"]


def log_of(servers, since, pattern):
    """What the board has printed since then, once it has printed `pattern`."""
    servers.board.wait_for_log(pattern, since=since)
    return servers.board.log[since:]


def check_clean(text):
    assert not re.search(r"^\[main 40\] forged", text, re.MULTILINE)
    for bad in "\x1b\x07\x9b\x7f\u202e\u2028\u200b":
        assert bad not in text, repr(bad)


@pytest.mark.parametrize("text", NASTY)
def test_a_close_reason_cannot_forge_or_garble_a_log_line(servers, text):
    since = servers.board.log_position
    with servers.open() as peer:
        peer.send(close(1000, ("reason" + text).encode()))
        check_clean(log_of(servers, since, r"disconnected: 1000 reason.*?\(\d"))


@pytest.mark.parametrize("text", ["\u202e", "\u2028", "\u200b", "%0a", "%1b"])
def test_a_path_cannot_garble_a_log_line(servers, text):
    since = servers.board.log_position
    response = servers.ask(handshake("/nowhere" + text), "path")
    assert response.status in (400, 404)
    check_clean(servers.board.log[since:])


def test_an_origin_and_a_host_cannot_garble_a_log_line(servers):
    since = servers.board.log_position
    servers.ask(handshake("/ws", "Origin: http://x\u202e\u2028\u009b31m"), "origin")
    servers.ask(handshake("/ws", "Origin: " + "x" * 1000), "origin")
    text = log_of(servers, since, r"refused .*\.\.\.")
    check_clean(text)
    assert max(len(line) for line in text.splitlines()) < 250


def test_a_long_path_does_not_make_a_long_line(servers):
    since = servers.board.log_position
    assert servers.upgrade("/" + "a" * 1500, name="request").status == 404
    assert len(refused(servers, "request", since)) < 250


def test_messages_are_not_part_of_the_log(servers):
    since = servers.board.log_position
    with servers.open() as peer:
        peer.send(frame(TEXT, b"secret message"))
        assert peer.frame() == (TEXT, b"secret message")
    time.sleep(0.05)
    assert "secret message" not in servers.board.log[since:]
