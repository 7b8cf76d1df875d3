"""The gateway between viewers and a board."""

import contextlib
import json
import select
import socket
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tools.fleet import overview
from tools.fleet.engines import Engine, installed
from tools.fleet.viewers import Board

from .conftest import ROOT, FakeBroker


@pytest.fixture(scope="module")
def member(make_member, one_engine):
    return make_member(one_engine.port, discovery="")


def get(port, path, **headers):
    """Return (status, headers, body)."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def wait_online(port, seconds=30):
    """Wait until the gateway knows the board and its state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        boards = json.loads(get(port, "/boards")[2])
        if boards and boards[0]["online"] and boards[0]["state"]:
            return boards
        time.sleep(0.05)
    raise AssertionError("the board is not online")


@pytest.fixture
def gateway(make_gateway, member, one_engine):
    """gateway(*options) -> the port of a gateway that knows the board."""

    def make(*options):
        port = make_gateway(one_engine.port, *options)
        wait_online(port)
        return port

    return make


def viewer(port, path="/ws", **options):
    return connect(f"ws://127.0.0.1:{port}/boards/board{path}", close_timeout=0.2, **options)


def until(client, wanted, seconds=30):
    """Receive up to a message; before it others may come, such as retained ones."""
    while client.recv(seconds) != wanted:
        pass


def test_viewers_use_the_protocol_of_the_board(gateway):
    port = gateway()
    with viewer(port) as one, viewer(port) as two, viewer(port, "/control") as control:
        one.send("hello")
        assert one.recv(10) == "hello"
        one.send(b"\0\1")
        assert one.recv(10) == b"\0\1"
        control.send("broadcast to all")
        assert one.recv(10) == two.recv(10) == "to all"
        control.send("everyone twice")
        assert [client.recv(10) for client in (one, two)] == ["twice", "twice"]
        with pytest.raises(TimeoutError):
            two.recv(0.3)


def test_a_new_viewer_gets_the_last_broadcast(gateway, one_engine, plain):
    port = gateway()
    with viewer(port, "/control") as control:
        control.send("broadcast the latest")
        with viewer(port) as one:
            until(one, "the latest")
            with viewer(port) as two:  # this one gets it from the gateway
                until(two, "the latest")


def test_the_board_closes_and_notices_the_end_of_a_viewer(gateway, member):
    port = gateway()
    with viewer(port, "/control") as control:
        control.send("close enough of it")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                control.recv(10)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "enough of it")
    start = member.log_position
    with viewer(port) as one:
        one.send("x")
        until(one, "x")
    member.wait_for_log(r"closed g\w+/\d+ 1 1001", since=start)


def test_a_group_is_kept_by_the_gateway(gateway, plain, one_engine):
    port = gateway()
    with viewer(port, "/control") as inside, viewer(port, "/control") as outside:
        inside.send("join the kitchen")
        inside.send("secret x")  # its reply comes after the join
        until(inside, "done")
        plain(one_engine.port).publish(ROOT + "group/control/the_20kitchen/text", "dinner")
        until(inside, "dinner")
        with pytest.raises(TimeoutError):
            until(outside, "dinner", 0.3)


def test_parameters_of_a_path_reach_the_board(gateway):
    port = gateway()
    with viewer(port, "/rooms/caf%C3%A9%2525/-5") as one, viewer(port, "/rooms/a/5") as other:
        one.send("hello")
        until(one, "hello café%25 -5")
        assert one.recv(10) == "news", "a broadcast at this path"
        other.send("x")
        until(other, "x a 5")
        with pytest.raises(TimeoutError):
            one.recv(0.3)  # the broadcast of another path
    for path in ("/rooms/a/b", "/rooms/a", "/rooms//1", "/rooms/a/1/2", "/rooms/<name>/<int:n>"):
        with pytest.raises(InvalidStatus) as refused:
            viewer(port, path)
        assert refused.value.response.status_code == 404


def test_a_board_streams_one_message_of_any_length_to_a_viewer(gateway):
    port = gateway()
    for order, whole in (
        ("generator 20", "x" * 14000),
        ("bytes 40", bytes(range(256)) * 40),
        ("async 3", "async" * 3),
        ("bytes 0", b""),
    ):
        with viewer(port, "/control") as control:
            for _ in range(2):  # a second one after the first
                control.send("stream " + order)
                until(control, whole, 20)


def test_a_stream_that_fails_or_is_too_long_closes_its_viewer(gateway):
    port = gateway("--max-stream", "5000")
    for order, code in (("failing 3", 1011), ("twice 1", 1011), ("generator 8", 1009)):
        with viewer(port, "/control") as control:
            control.send("stream " + order)
            with pytest.raises(ConnectionClosed) as closed:
                until(control, "nothing", 20)
        assert closed.value.rcvd.code == code


def test_the_page_is_served_from_the_copy_of_the_gateway(gateway):
    port = gateway()
    status, headers, body = get(port, "/boards/board/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b"
    assert get(port, "/boards/board")[0] == 200, "redirected"
    status, _, body = get(port, "/boards/board/api/things")
    assert status == 501 and b"not forwarded" in body
    status, _, body = get(port, "/boards/board/settings.html")
    assert status == 501 and b"own network" in body, "no password is typed into it"
    assert get(port, "/boards/nowhere/")[0] == 404


def test_unknown_endpoints_and_foreign_origins_are_refused(gateway):
    port = gateway()
    for path, status in (("/nowhere", 404), ("/admin", 404), ("/token", 403)):
        with pytest.raises(InvalidStatus) as refused:
            viewer(port, path)
        assert refused.value.response.status_code == status
    with pytest.raises(InvalidStatus) as refused:
        viewer(port, origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403
    for origin in (
        "null",
        "http://[",
        "http://\xe9.example",
        f"http://127.0.0.1:{port}@x.example",
    ):
        with pytest.raises(InvalidStatus) as refused:
            viewer(port, origin=origin)
        assert refused.value.response.status_code == 403, origin
    with viewer(port, origin=f"http://127.0.0.1:{port}") as own:
        own.send("x")
        until(own, "x")


def test_only_names_of_the_gateway_are_answered(gateway, capfd):
    """Otherwise a page on the internet could let its own name point to it (DNS rebinding)."""
    port = gateway("--name", "Gateway.example")
    own = socket.gethostname().partition(".")[0]
    hosts = (f"127.0.0.1:{port}", "[::1]:1", "localhost", "LocalHost:80", "localhost.:80")
    for host in (*hosts, "gateway.example:443", own, own.upper() + ".local:8000"):
        assert get(port, "/boards", Host=host)[0] == 200, host
    hosts = ("evil.com:8700", "1.2.3.4.evil.com", "[evil.com]", "localhost@evil.com", "\xe9.com")
    for host in (*hosts, "localhost:80@evil.com", "evil.com/localhost", "localhost:80:80"):
        for path in ("/boards", "/boards/board/", "/metrics"):
            status, _, body = get(port, path, Host=host)
            assert status == 421 and b"--name" in body, host
    for host in ("", "127.0.0.1\r\nHost: evil.com"):
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.sendall(f"GET /boards HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert get(port, "/health", Host="10.0.0.1.elsewhere")[0] == 200, "of a load balancer"
    raw = socket.create_connection(("127.0.0.1", port))
    with raw, pytest.raises(InvalidStatus) as refused:
        connect("ws://evil.com:8700/boards/board/ws", sock=raw, origin="http://evil.com:8700")
    assert refused.value.response.status_code == 421
    time.sleep(0.1)
    lines = [line for line in capfd.readouterr().err.splitlines() if "--name" in line]
    assert len(lines) == 1 and "'evil.com:8700'" in lines[0], "rate limited"


def test_the_name_of_a_board_is_one_segment_of_the_path(gateway):
    port = gateway()
    for path in ("board%2fxyz/ws", "board%2Fws", "board%2f/ws", "board%00/ws", "%2e/board/ws"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{port}/boards/{path}")
        assert refused.value.response.status_code == 404, path
    for path in ("/boards/a%2f", "/boards/a%0d%0aA:b", "/boards/a.b", "/boards//", "/%62oards/x"):
        assert get(port, path)[0] == 404, path
    assert get(port, "//[")[0] == 400
    with connect(f"ws://127.0.0.1:{port}/boards/bo%61rd/ws", close_timeout=0.2) as one:
        one.send("x")
        until(one, "x")


def test_tokens_are_checked_for_pages_and_endpoints(gateway, tmp_path):
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"board": "sesame"}))
    port = gateway("--tokens", str(file))
    assert get(port, "/boards/board/")[0] == 401
    status, headers, _ = get(port, "/boards/board/?token=sesame")
    assert status == 200
    cookie = headers["Set-Cookie"].partition(";")[0]
    for options in (
        {"additional_headers": {"Cookie": cookie}},
        {"additional_headers": {"Authorization": "Bearer sesame"}},
        {"subprotocols": ["bearer.c2VzYW1l", "chat"]},
    ):
        with viewer(port, "/token", **options) as allowed:
            allowed.send("hello")
            until(allowed, "hello")
    for expected in (401, 401, 401, 401, 401, 429):
        with pytest.raises(InvalidStatus) as refused:
            viewer(port, "/ws?token=wrong")
        assert refused.value.response.status_code == expected


@pytest.mark.parametrize(
    "policy, figure",
    [("close", b"viewers_closed_slow_total 1"), ("drop", b"messages_dropped_total 3")],
)
def test_a_slow_viewer_delays_no_other_one(gateway, policy, figure):
    """It is closed or loses messages, as --slow says."""
    port = gateway("--buffer", "20000", "--rate", "10000", "--slow", policy)
    with contextlib.ExitStack() as stack:
        paths = ("/ws", "/ws", "/control")
        slow, fast, control = [stack.enter_context(viewer(port, path)) for path in paths]
        text = "x" * 3000
        slow.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
        for _ in range(600):
            control.send("broadcast " + text)
            until(fast, text)
            control.recv(10)
            if figure in get(port, "/metrics")[2]:
                break
        else:
            raise AssertionError("the slow viewer was served")
        if policy == "drop":
            with contextlib.suppress(TimeoutError):
                while slow.recv(1):
                    pass
            control.send("broadcast the next one")
            until(slow, "the next one")


def test_the_overview_lists_boards_by_number():
    boards = [Board(name) for name in ("board-10", "board-2", "9", "board-1", "attic")]
    names = [entry["name"] for entry in overview.listing(boards)]
    assert names == ["9", "attic", "board-1", "board-2", "board-10"]


def test_limits_of_a_viewer_and_an_address_are_enforced(gateway):
    port = gateway("--rate", "2", "--per-address", "2")
    with viewer(port) as one, viewer(port):
        with pytest.raises(InvalidStatus) as refused:
            viewer(port)
        assert refused.value.response.status_code == 429
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(10):
                one.send("x")
            while True:
                one.recv(10)
        assert closed.value.rcvd.code == 1008


def test_failed_handshakes_do_not_use_up_an_address(gateway):
    """Each is accepted by the checks of the gateway, and then fails as a WebSocket."""
    port = gateway("--per-address", "2")
    head = b"GET /boards/board/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    for rest in (b"Upgrade: websocket\r\n\r\n", b"Upgrade: websocket\r\nSec-WebSocket-") * 3:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.settimeout(10)
            raw.sendall(head + rest)
            if rest.endswith(b"\r\n\r\n"):
                assert raw.recv(100).startswith(b"HTTP/1.1 4")
    with viewer(port) as one:
        one.send("hello")
        until(one, "hello")


def test_a_silent_node_of_several_is_soon_left_for_the_next(make_gateway, one_engine):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(15)
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{one_engine.port}"
        port = make_gateway(0, "--engine", hosts)
        with silent.accept()[0] as sock:
            start = time.monotonic()
            sock.settimeout(15)
            while sock.recv(1000):  # CONNECT, and DISCONNECT, so that no session is left
                pass
            while get(port, "/health")[0] != 200:
                time.sleep(0.05)
            assert time.monotonic() - start < 4.5


class Node(FakeBroker):
    """A node of an engine. is_subscribed: whether its connection has asked for topics."""

    is_subscribed = False

    def answer(self, source):
        """Accept a connection or read a packet from the socket that has it, and answer."""
        kind, body = self.accept() if source is self.listener else self.packet()
        with contextlib.suppress(OSError):  # of a connection that the gateway has given up
            if kind is None:
                self.hang_up()
            elif kind == 0x10:
                self.sock.sendall(self.CONNACK)
            elif kind == 0x82:
                self.sock.sendall(b"\x90\x05" + body[:2] + bytes(3))
        self.is_subscribed = kind == 0x82 or self.is_subscribed and kind not in (None, 0x10)


def play(nodes, until):
    """Answer the gateway until a condition is met. It gives up what takes 1.2 s."""
    end = time.monotonic() + 30
    while not until():
        assert time.monotonic() < end, [(node.sock, node.is_subscribed) for node in nodes]
        for node in nodes:
            sources = [source for source in (node.sock, node.listener) if source]
            for source in select.select(sources, [], [], 0.02)[0][:1]:
                node.answer(source)


def test_a_gateway_stands_by_at_the_other_nodes(make_gateway):
    """It has its subscriptions at one of them, and moves them when that one is lost."""
    nodes = Node(), Node()
    try:
        make_gateway(0, "--engine", ",".join(f"127.0.0.1:{node.port}" for node in nodes))
        play(nodes, lambda: any(node.is_subscribed for node in nodes))
        end = time.monotonic() + 0.5
        play(nodes, lambda: time.monotonic() > end and all(node.sock for node in nodes))
        assert sorted(node.is_subscribed for node in nodes) == [False, True]
        other, leader = sorted(nodes, key=lambda node: node.is_subscribed)
        standing = other.sock
        leader.hang_up()
        play(nodes, lambda: other.is_subscribed)
        assert other.sock is standing
    finally:
        for node in nodes:
            node.close()


def test_health_and_figures_follow_the_engine(make_gateway, make_member):
    if not installed():
        pytest.skip("needs an engine")
    with Engine(installed()[0]) as engine:
        make_member(engine.port, discovery="")
        port = make_gateway(engine.port)
        wait_online(port)
        assert get(port, "/health")[0] == 200
        with viewer(port) as one:
            assert b"\nfleet_viewers 1\n" in get(port, "/metrics")[2]
            engine.kill()
            while get(port, "/health")[0] != 503:
                time.sleep(0.05)
            engine.start()
            start = time.monotonic()
            while get(port, "/health")[0] != 200:
                assert time.monotonic() - start < 30
                time.sleep(0.05)
            wait_online(port)
            reached = ""
            while reached != "back":  # the board connects on its own
                assert time.monotonic() - start < 30
                one.send("back")
                try:
                    reached = one.recv(1)
                except TimeoutError:
                    continue
