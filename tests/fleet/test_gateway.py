"""The gateway between viewers and a board."""

import contextlib
import json
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tools.fleet.engines import Engine, installed

from .conftest import ROOT


@pytest.fixture(scope="module")
def engine():
    """One engine, the preferred one: test_bridge has all."""
    from tools.fleet.engines import INSTALL

    if not installed():
        pytest.skip(INSTALL)
    with Engine(installed()[0]) as running:
        yield running


@pytest.fixture(scope="module")
def member(make_member, engine):
    return make_member(engine.port, discovery="")


def get(port, path, **headers):
    """Return (status, headers, body)."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def wait_online(port, seconds=10):
    """Wait until the gateway knows the board and its state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        boards = json.loads(get(port, "/boards")[2])
        if boards and boards[0]["online"] and boards[0]["state"]:
            return boards
        time.sleep(0.05)
    raise AssertionError("the board is not online")


@pytest.fixture
def gateway(make_gateway, member, engine):
    """gateway(*options) -> the port of a gateway that knows the board."""

    def make(*options):
        port = make_gateway(engine.port, *options)
        wait_online(port)
        return port

    return make


def viewer(port, path="/ws", **options):
    return connect(f"ws://127.0.0.1:{port}/boards/board{path}", close_timeout=0.2, **options)


def until(client, wanted, seconds=10):
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


def test_a_new_viewer_gets_the_last_broadcast(gateway, engine, plain):
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


def test_a_group_is_kept_by_the_gateway(gateway, plain, engine):
    port = gateway()
    with viewer(port, "/control") as inside, viewer(port, "/control") as outside:
        inside.send("join the kitchen")
        inside.send("secret x")  # its reply comes after the join
        until(inside, "done")
        plain(engine.port).publish(ROOT + "group/control/the_20kitchen/text", "dinner")
        until(inside, "dinner")
        with pytest.raises(TimeoutError):
            until(outside, "dinner", 0.3)


def test_the_page_is_served_from_the_copy_of_the_gateway(gateway):
    port = gateway()
    status, headers, body = get(port, "/boards/board/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b"
    assert get(port, "/boards/board")[0] == 200, "redirected"
    status, _, body = get(port, "/boards/board/api/things")
    assert status == 501 and b"not forwarded" in body
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
    with viewer(port, origin=f"http://127.0.0.1:{port}") as own:
        own.send("x")
        until(own, "x")


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


def test_a_slow_viewer_is_closed_and_the_others_are_served(gateway):
    port = gateway("--buffer", "20000", "--rate", "10000")
    with contextlib.ExitStack() as stack:
        paths = ("/ws", "/ws", "/control")
        slow, fast, control = [stack.enter_context(viewer(port, path)) for path in paths]
        text = "x" * 3000
        slow.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
        for _ in range(600):
            control.send("broadcast " + text)
            until(fast, text)
            control.recv(10)
            if b"viewers_closed_slow_total 1" in get(port, "/metrics")[2]:
                break
        else:
            raise AssertionError("the slow viewer was not closed")


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
                assert time.monotonic() - start < 10
                time.sleep(0.05)
            wait_online(port)
            reached = ""
            while reached != "back":  # the board connects on its own
                assert time.monotonic() - start < 10
                one.send("back")
                try:
                    reached = one.recv(1)
                except TimeoutError:
                    continue
