"""Outages between a board and an engine: short ones, a dead line, a full engine. Short versions of
what `make bench-fleet` measures."""

import json
import time

import pytest

from tests.faults import network
from tests.wsserver.conftest import Raw
from tools.fleet.engines import Engine, installed
from tools.fleet.proxy import Proxy
from tools.wsclient import TEXT, frame

from .conftest import PROGRAM, ROOT


class Local:
    """A local client of /control."""

    def __init__(self, board):
        self.peer = Raw(board).open("/control")
        self.slowest = 0.0

    def order(self, text):
        """Send an order and return the reply; remember the longest round trip."""
        start = time.monotonic()
        self.peer.send(frame(TEXT, text.encode()))
        reply = self.peer.frame()[1]
        self.slowest = max(self.slowest, time.monotonic() - start)
        return reply


@pytest.fixture
def local(request):
    """local(board) -> a Local, closed when the test is over."""

    def connect(board):
        client = Local(board)
        request.addfinalizer(client.peer.close)
        return client

    return connect


def test_every_kind_of_short_outage_ends_in_a_connection(make_member, engine, local):
    """The heap stays flat, and local clients are served meanwhile."""
    with Proxy(engine.port) as proxy:
        board = make_member(proxy.port, backoff=0.2, queue=2048)
        client = local(board)
        heaps = {}
        for index in range(20):
            position = board.log_position
            proxy.mode = ("refuse", "silent", "cut", "pass")[index % 4]
            if proxy.mode != "cut":
                proxy.reset()
            for _ in range(3):
                client.order("count 0 2")
            proxy.mode = "pass"
            proxy.reset()
            board.wait_for_log("fleet: connected", 10, position)
            if index in (5, 6, 7, 17, 18, 19):  # the least of several: the queue empties
                found = []
                for _ in range(10):
                    time.sleep(0.05)
                    found.append(int(client.order("memory")))
                heaps.setdefault(index // 10, []).append(min(found))
    assert min(heaps[1]) - min(heaps[0]) < 1500
    assert client.slowest < 1


def test_a_dead_line_is_noticed_and_no_message_is_lost(make_member, engine, local, plain):
    with Proxy(engine.port) as proxy:
        board = make_member(proxy.port, keepalive=5, queue=20000, retain=False)
        client = local(board)
        observer = plain(engine.port, topic=ROOT + "all/ws/text")
        position = board.log_position
        proxy.mode = "cut"
        client.order("count 0 50")
        board.wait_for_log("no answer; trying again", 20, position)
        proxy.mode = "pass"
        seen = set()
        while len(seen) < 50:
            seen.add(int(observer.next("all/ws/text", 20)))
    assert client.slowest < 1


def test_a_board_waits_for_a_place_at_a_full_engine(make_member, engine_name, local, plain):
    if engine_name is None:
        pytest.skip("needs an engine")
    with Engine(engine_name, clients=1) as engine:
        # mosquitto 2.0.11 accepts one more than its limit.
        others = [plain(engine.port, topic="other") for _ in range(1 + (engine_name[0] == "m"))]
        board = make_member(engine.port, wait_connected=False, backoff=0.5)
        board.wait_for_log("trying again", 20)
        client = local(board)
        assert client.order("count 0 5") == b"counted"
        position = board.log_position
        assert "fleet: connected" not in board.log
        for other in others:
            other.close()
        board.wait_for_log("fleet: connected", 10, position)
    assert client.slowest < 1


def test_a_full_storage_of_the_engine_stops_no_local_client(make_member, local, plain):
    if "nats-server" not in installed():
        pytest.skip("needs nats-server")
    with Engine("nats-server", storage="16K") as engine:
        # NATS keeps messages only for sessions that are interested in them.
        plain(engine.port, name="durable", clean=False, topic=ROOT + "#").close()
        board = make_member(engine.port, backoff=0.5, queue=2048)
        client = local(board)
        position = board.log_position
        deadline = time.monotonic() + 20
        while "trying again" not in board.log[position:]:
            assert time.monotonic() < deadline
            assert client.order("count 0 20") == b"counted"
        assert client.order("memory").isdigit()
    assert client.slowest < 1


def test_a_link_that_loses_all_packets_stops_no_local_client(lib_form, broker, request):
    """Nothing acknowledges what the board sends, and nothing resets its connections."""
    reason = network.missing()
    if reason or request.config.getoption("--board"):
        pytest.skip(reason or "needs a virtual board of its own")
    near, far = network.Namespace("fleetnear"), network.Namespace("fleetfar")
    request.addfinalizer(near.remove)
    request.addfinalizer(far.remove)
    link = network.Link(near, far)
    request.addfinalizer(link.close)
    broker.close()
    broker.listener = far.socket()
    broker.listener.bind((link.FAR, 1883))
    broker.listener.listen()
    broker.listener.settimeout(20)
    section = {"enabled": True, "host": link.FAR, "backoff": 0.5, "keepalive": 5, "discovery": ""}
    files = {"main.py": PROGRAM, "fleet.json": json.dumps(section)}
    options = {"heap": lib_form.heap("256k"), **lib_form.options}
    with network.BoardElsewhere(near, files=files, **options) as board:
        broker.welcome()
        broker.message("/presence")
        with near.entered():
            client = Raw(board).open("/control")
        link.cut = True
        begin, slowest = time.monotonic(), 0.0
        while "no answer; trying again" not in board.log:
            start = time.monotonic()
            assert start - begin < 20, board.log
            assert client.send(frame(TEXT, b"count 0 1")).frame()[1] == b"counted"
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.05)
        client.send(frame(TEXT, b"count 7 8"))
        link.cut = False
        broker.welcome()
        while broker.message("all/ws/text")[2] != b"7":
            pass
        client.close()
        assert slowest < 1
