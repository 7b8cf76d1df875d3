"""What counts towards the limits of an address, and limits of a board that runs for weeks."""

import contextlib
import itertools
import time

import pytest

from tests.wsserver.peer import Peer, Servers, plain
from tools.wsclient import CONTINUATION, PING, PONG, TEXT, frame

RIGHT = "Authorization: Bearer s3cret"
WRONG = "Authorization: Bearer wrong"
CLOSE = 8
DAY_AND_A_HALF = 1 << 27  # ms
_numbers = itertools.count(2)


@pytest.fixture(scope="module")
def servers(make_board, certs):
    names = {"hosts": ["board"]}
    limits = {"handshakes": 4}
    portal = {"portal": "http://192.168.4.1/", **names}
    return Servers(
        make_board,
        certs=certs,
        main={"limits": limits, "attributes": names},
        portal={"limits": limits, "attributes": portal},
        tls={"limits": {"handshakes": 3}, "tls": True},
        messages={"limits": {"messages": 20}, "reserved": True},
        bytes={"limits": {"bytes": 100}, "reserved": True},
    )


@pytest.fixture(scope="module")
def old(make_board):
    """Servers whose clock can be moved on."""
    still = {"ping_interval": None}
    return Servers(
        make_board,
        clock=True,
        main={"server": still},
        limited={"server": still, "limits": {"handshakes": 2, "messages": 20}},
        lru={"server": {**still, "purge": "lru", "max_clients": 2}},
    )


def fresh():
    """An address that has never spoken to the board."""
    return f"127.0.5.{next(_numbers)}"


# --- what counts as a request


@pytest.mark.parametrize(
    "name, request_text, status",
    [
        ("main", "nonsense\r\n\r\n", 400),
        ("main", "\x16\x03\x01", 400),
        ("main", "GET / HTTP/1.1\n", 400),
        ("main", plain(host="evil.example"), 421),
        ("main", plain("/", "X: " + "x" * 3000), 431),
        ("main", plain("/", *["a: 1"] * 150), 431),
        ("main", plain(version="2.0"), 505),
        ("main", plain(method="OPTIONS"), 204),
        ("main", plain("/nowhere"), 404),
        ("portal", plain(host="connectivity.example"), 302),
    ],
)
def test_every_answered_request_counts(servers, name, request_text, status):
    address = fresh()
    for _ in range(4):
        assert servers.ask(request_text, name, address).status == status
    response = servers.get(name=name, source=address)
    assert (response.status, response.headers["retry-after"]) == (429, "60")
    assert servers.ask(request_text, name, address).status == 429
    assert servers.get(name=name, source=fresh()).status == 200


def tls_status(servers, trust, source):
    """The status of the response to a request with TLS; 0 if there is no TLS."""
    with (
        contextlib.suppress(OSError),
        Peer(servers.settings["tls"]["tls"], source) as peer,
        trust.wrap_socket(peer.sock, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(plain().encode())
        return int(secure.recv(100).split()[1])
    return 0


def test_a_request_with_tls_counts_once(servers, trust):
    address = fresh()
    assert [tls_status(servers, trust, address) for _ in range(4)] == [200, 200, 200, 0]


def test_tls_connections_without_a_request_count(servers, trust):
    address = fresh()
    for _ in range(3):
        with Peer(servers.settings["tls"]["tls"], address):
            time.sleep(0.05)
    assert tls_status(servers, trust, address) == 0
    assert servers.get(name="tls", source=address).status == 429
    assert tls_status(servers, trust, fresh()) == 200


# --- what counts as a message


@pytest.mark.parametrize(
    "name, flood",
    [
        ("pings", frame(PING, b"x") * 300),
        ("pongs", frame(PONG, b"x") * 300),
        ("fragments", frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 300),
        ("single bytes", frame(TEXT, b"x", final=False) + frame(0, b"x", final=False) * 300),
        ("between", frame(TEXT, b"x", final=False) + frame(PING) * 300 + frame(CONTINUATION)),
    ],
)
def test_a_flood_of_frames_is_closed_with_1008(servers, name, flood):
    with servers.open(name="messages", source=fresh()) as peer:
        peer.send(flood)
        opcode, payload = peer.frame()
        while opcode != CLOSE:
            opcode, payload = peer.frame()
        assert int.from_bytes(payload[:2], "big") == 1008


def test_a_few_pings_and_fragments_are_no_flood(servers):
    with servers.open(name="messages", source=fresh()) as peer:
        for _ in range(10):
            assert peer.send(frame(PING, b"x")).frame() == (PONG, b"x")
        peer.send(frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"b"))
        assert peer.frame() == (TEXT, b"ab")
        time.sleep(0.3)
        assert peer.echo()


@pytest.mark.parametrize("name", ["messages", "bytes"])
def test_the_clients_of_reserved_paths_are_not_limited(servers, name):
    with servers.open("/admin?token=s3cret", name=name, source=fresh()) as peer:
        peer.send(frame(PING, b"x") * 300)
        for _ in range(300):
            assert peer.frame() == (PONG, b"x")
        time.sleep(0.3)  # several sweeps
        assert peer.echo()


# --- a board that runs for weeks


def let_pass(old, jumps):
    """Let some days pass, with sweeps in between: more after the first jumps, as in reality."""
    for number in range(jumps):
        with old.open("/clock") as peer:
            peer.send(frame(TEXT, b"%d" % DAY_AND_A_HALF)).frame()
        time.sleep(0.15 if number > 1 else 1.8)


@pytest.mark.parametrize("jumps", [1, 3, 5, 6, 7, 8, 9])
def test_a_limit_is_forgotten_whatever_the_clock_shows(old, jumps):
    address = fresh()
    answers = [old.get(name="limited", source=address).status for _ in range(3)]
    assert answers == [200, 200, 429]
    let_pass(old, jumps)
    assert old.get(name="limited", source=address).status == 200


@pytest.mark.parametrize("jumps", [1, 5, 6, 8])
def test_wrong_secrets_are_forgotten_whatever_the_clock_shows(old, jumps):
    address = fresh()
    for _ in range(5):
        assert old.upgrade("/token", WRONG, source=address).status == 401
    assert old.upgrade("/token", RIGHT, source=address).status == 429
    let_pass(old, jumps)
    assert old.upgrade("/token", RIGHT, source=address).status == 101


@pytest.mark.parametrize("jumps", [5, 6])
def test_the_idlest_client_is_found_whatever_the_clock_shows(old, jumps):
    with contextlib.ExitStack() as stack:
        idle = stack.enter_context(old.open(name="lru"))
        used = stack.enter_context(old.open(name="lru"))
        let_pass(old, jumps)
        assert used.echo()
        time.sleep(0.02)
        fresh_one = stack.enter_context(old.open(name="lru"))
        assert idle.frame()[0] == CLOSE
        assert used.echo()
        assert fresh_one.echo()


@pytest.mark.parametrize("jumps", [5, 8])
def test_a_client_that_comes_back_after_days_is_not_taken_for_a_flood(old, jumps):
    with old.open(name="limited", source=fresh()) as peer:
        assert peer.echo()
        let_pass(old, jumps)
        for _ in range(10):
            assert peer.echo()
        time.sleep(0.3)
        assert peer.echo()


@pytest.mark.parametrize("jumps", [4, 5, 6])
def test_refusals_are_logged_whatever_the_clock_shows(old, jumps):
    old.get("/nowhere/before")
    let_pass(old, jumps)
    since = old.board.log_position
    old.get(f"/nowhere/{jumps}")
    old.board.wait_for_log(rf"refused .*/nowhere/{jumps}", since=since)
