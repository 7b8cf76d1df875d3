"""Slots: how long an HTTP connection may keep one, and what others get meanwhile."""

import contextlib
import select
import socket
import threading
import time

import pytest

from tests.waiting import wait_until
from tests.wsserver.peer import Peer, Servers, handshake, plain

SECRET = "Authorization: Bearer s3cret"
CLOSE = 8


@pytest.fixture(scope="module")
def servers(make_board, certs):
    return Servers(
        make_board,
        certs=certs,
        narrow=True,
        main={"server": {"open_timeout": 2}},
        patient={},
        two={"listeners": 2},
        tls={"tls": True, "server": {"max_tls": 2}},
        brief={"tls": True, "server": {"open_timeout": 1}},
        reserved={"reserved": True, "server": {"max_clients": 2}},
        lru={"reserved": True, "server": {"max_clients": 2, "purge": "lru"}},
    )


def seconds_until_served(servers, name, limit=8):
    """How long it takes until a request is answered."""
    started = time.monotonic()
    assert servers.get(name=name).status == 200
    took = time.monotonic() - started
    assert took < limit
    return took


# --- the age of a connection


def test_a_peer_that_trickles_after_its_answer_is_closed(servers):
    with servers.connect("patient") as peer:
        assert peer.send(plain()).response().status == 200
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 9:
                peer.send(b"x")
                time.sleep(0.1)
        assert time.monotonic() - started < 8  # open_timeout is 10 s


def test_peers_that_trickle_after_their_answer_do_not_keep_others_out(servers):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(servers.connect("patient")) for _ in range(3)]
        for peer in peers:
            assert peer.send(plain()).response().status == 200
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.1):
                for peer in peers:
                    with contextlib.suppress(OSError):
                        peer.send(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            seconds_until_served(servers, "patient", 5)
        finally:
            stop.set()
            thread.join()


def sip(peer, size, pause, stop):
    """Read `size` bytes, again and again, with a pause after each time."""
    with contextlib.suppress(OSError):
        while not stop.wait(pause):
            peer.sock.recv(size)


def test_peers_that_read_too_slowly_do_not_keep_others_out(servers):
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        threads = []
        for _ in range(3):
            peer = stack.enter_context(servers.connect(receive_buffer=2304))
            peer.send(plain("/big.txt"))
            threads.append(threading.Thread(target=sip, args=(peer, 300, 0.25, stop)))
            threads[-1].start()
        time.sleep(0.3)  # so that all of them have a slot
        try:
            seconds_until_served(servers, "main", 8)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def test_a_slow_phone_gets_the_whole_page(servers):
    with servers.connect("patient", receive_buffer=2304) as peer:
        status, headers = peer.send(plain("/big.txt")).head()
        assert status == 200
        data = peer.data
        while len(data) < 60000:  # some 30 KB in a second
            data += peer.sock.recv(1500)
            time.sleep(0.05)
        while len(data) < int(headers["content-length"]):
            data += peer.sock.recv(65536)
        assert data == b"0123456789" * 20000


def test_a_tls_handshake_that_trickles_is_closed_in_time(servers):
    with Peer(servers.settings["brief"]["tls"]) as peer:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(100):
                peer.send(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - started < 8  # the loop takes 11 s


# --- listeners


def test_a_crowd_at_one_listener_does_not_keep_out_those_of_another(servers):
    first, second = servers.settings["two"]["ports"]
    crowd = []
    with contextlib.ExitStack() as stack:
        for number in range(11):
            crowd.append(stack.enter_context(servers.connect(port=first)))
            time.sleep(0.33 if number < 3 else 0.01)  # slots become free one after the other

        def served():
            return len(select.select([peer.sock for peer in crowd], [], [], 0)[0])

        before = served()
        with servers.connect(port=second) as peer:
            assert peer.send(plain()).response().status == 200
        # Behind all others it would have to wait for eight of them.
        assert served() - before <= 4


# --- TLS


def tls_request(servers, trust, name="tls"):
    """The first line of the response to a request with TLS."""
    with (
        Peer(servers.settings[name]["tls"]) as peer,
        trust.wrap_socket(peer.sock, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(plain().encode())
        return secure.recv(100).split(b"\r\n")[0]


def is_served(servers, trust):
    with contextlib.suppress(OSError):
        return b"200" in tls_request(servers, trust)
    return False


def test_silent_connections_do_not_hold_the_tls_slots(servers, trust):
    with Peer(servers.settings["tls"]["tls"]), Peer(servers.settings["tls"]["tls"]):
        time.sleep(0.1)
        started = time.monotonic()
        wait_until(lambda: is_served(servers, trust), "a slot for TLS")
        assert time.monotonic() - started < 8  # open_timeout is 10 s


def test_a_tls_connection_without_client_hello_is_closed_soon(servers):
    with Peer(servers.settings["tls"]["tls"]) as peer:
        started = time.monotonic()
        assert peer.rest() == b""
        assert time.monotonic() - started < 8


def test_a_tls_client_that_is_slow_to_speak_is_served_when_nobody_waits(servers, trust):
    with Peer(servers.settings["tls"]["tls"]) as peer:
        time.sleep(1.5)
        with trust.wrap_socket(peer.sock, server_hostname="127.0.0.1") as secure:
            time.sleep(1.5)
            secure.sendall(plain().encode())
            assert b"200" in secure.recv(100)


# --- the slot of the admin


def test_an_authenticated_reserved_path_may_exceed_max_clients_by_one(servers):
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(servers.open(name="reserved")) for _ in range(2)]
        assert servers.upgrade(name="reserved").status == 503
        for header in ("X: y", "Authorization: Bearer wrong"):
            assert servers.upgrade("/admin", header, name="reserved").status == 401
        admin = stack.enter_context(servers.open("/admin", SECRET, name="reserved"))
        assert all(peer.echo() for peer in [*others, admin])
        assert servers.upgrade(name="reserved").status == 503
        assert servers.get(name="reserved").status == 200


def test_a_second_admin_evicts_the_idlest_other_client(servers):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(servers.open(name="reserved"))
        second = stack.enter_context(servers.open(name="reserved"))
        time.sleep(0.01)
        assert first.echo()
        admins = [
            stack.enter_context(servers.open("/admin", SECRET, name="reserved")) for _ in range(2)
        ]
        code, payload = second.frame()
        assert (code, int.from_bytes(payload[:2], "big")) == (CLOSE, 1013)
        assert all(peer.echo() for peer in [first, *admins])


def test_admins_do_not_evict_each_other(servers):
    with contextlib.ExitStack() as stack:
        admins = [
            stack.enter_context(servers.open("/admin", SECRET, name="reserved")) for _ in range(3)
        ]
        assert servers.upgrade("/admin", SECRET, name="reserved").status == 503
        assert all(admin.echo() for admin in admins)


def test_an_ordinary_client_does_not_evict_an_admin(servers):
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(servers.open("/admin", SECRET, name="lru"))
        first = stack.enter_context(servers.open(name="lru"))
        second = stack.enter_context(servers.open(name="lru"))
        assert first.frame()[0] == CLOSE
        assert all(peer.echo() for peer in (second, admin))


def test_the_admin_gets_to_the_settings_of_a_full_board(make_board):
    config = {"server": {"max_clients": 2}, "broadcast": {"interval": 0}}
    # The heap is ample: this is about slots, not about memory.
    board = make_board(config={**config, "admin": {"password": "s3cret pass"}}, heap="256k")
    with contextlib.ExitStack() as stack:
        peers = []
        for _ in range(2):
            peer = stack.enter_context(Peer(board.http_port))
            peers.append(peer.send(handshake("/ws", host="localhost")))
            assert peer.head()[0] == 101
        header = "Authorization: Bearer s3cret pass"
        admin = stack.enter_context(Peer(board.http_port))
        assert admin.send(handshake("/settings", header, host="localhost")).head()[0] == 101
        assert b'"sections"' in admin.frame()[1]
        assert all(peer.echo() for peer in peers)


def test_half_closed_requests_are_answered_within_the_same_bounds(servers):
    with servers.connect() as peer:
        peer.send(plain()).sock.shutdown(socket.SHUT_WR)
        assert peer.response().status == 200


ENDLESS = """
import asyncio

from wsserver import Server

server = Server(open_timeout=1, async_timeout=2)


@server.route("/endless")
async def endless(request):
    try:
        while True:
            await asyncio.sleep(1)
    finally:
        print("the handler has ended")


@server.route("/upload", methods=("POST",), stream=True)
async def upload(request):
    size = 0
    while True:
        data = await request.read(100)
        if not data:
            return str(size)
        size += len(data)
        await asyncio.sleep_ms(300)


@server.route("/")
def index(request):
    return "here"


server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def endless(make_board):
    return make_board(files={"main.py": ENDLESS}, heap="256k")


def test_handlers_that_never_end_do_not_keep_their_slots(endless):
    since = endless.log_position
    peers = [Peer(endless.http_port).send(plain("/endless")) for _ in range(3)]
    started = time.monotonic()
    with Peer(endless.http_port) as peer:
        assert peer.send(plain("/")).response().text == "here"
    assert time.monotonic() - started < 3
    for peer in peers:
        assert peer.response().status == 503
        peer.close()
    endless.wait_for_log(
        "503: the handler of this path takes too long .async_timeout., or has a `yield`",
        since=since,
    )
    ended = "(?s)" + "the handler has ended.*" * 3
    endless.wait_for_log(ended, since=since)
    assert "Traceback" not in endless.log[since:]


def test_a_single_handler_that_never_ends_has_async_timeout(endless):
    with Peer(endless.http_port) as peer:
        started = time.monotonic()
        assert peer.send(plain("/endless")).response().status == 503
        assert 1.5 < time.monotonic() - started < 8


def test_a_handler_that_reads_a_long_body_is_not_too_slow(endless):
    body = "x" * 1500  # takes 4.5 s
    with Peer(endless.http_port) as peer:
        request = plain("/upload", f"Content-Length: {len(body)}", method="POST")
        assert peer.send(request + body).response().text == "1500"
