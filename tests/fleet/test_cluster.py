"""Three nodes of NATS, one of which is killed. `make bench-fleet` kills one every 30 s."""

import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.wsserver.conftest import Raw
from tools.fleet.engines import INSTALL, Cluster, find
from tools.wsclient import TEXT, frame

from .conftest import ROOT

TOPIC = ROOT + "all/ws/text"


@pytest.fixture(scope="module")
def nodes():
    if not find("nats-server"):
        pytest.skip(INSTALL)
    with Cluster() as running:
        yield running.nodes


def received(port, count):
    """Yield the numbers that a viewer gets, or None after 0.2 s; it connects again by itself."""
    while True:
        try:
            with connect(f"ws://127.0.0.1:{port}/boards/board/ws", close_timeout=0.2) as viewer:
                while True:
                    count()
                    try:
                        yield int(viewer.recv(0.2))
                    except TimeoutError:
                        yield None
        except (ConnectionClosed, InvalidStatus, OSError):
            time.sleep(0.2)
            yield None


def test_a_killed_node_costs_seconds_and_no_message(nodes, make_member, make_gateway, plain):
    """The board, the gateway and a durable session are connected to the node that is killed."""
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    board = make_member(nodes[0].port, host=hosts, backoff=2, queue=20000)
    plain(nodes[0].port, name="durable", clean=False, topic=TOPIC).close()
    local = Raw(board).open("/control")
    last = -1

    def count():
        nonlocal last
        last += 1
        local.send(frame(TEXT, b"count %d %d" % (last, last + 1)))
        assert local.frame()[1] == b"counted", "local clients notice nothing"

    viewer = received(make_gateway(0, "--engine", hosts), count)
    start = time.monotonic()
    while next(viewer) is None:
        assert time.monotonic() - start < 30
    nodes[0].kill()
    before, start = last, time.monotonic()
    while (next(viewer) or 0) <= before:
        assert time.monotonic() - start < 60, "elections take up to 9 s; this machine may be busy"
    durable = plain(nodes[1].port, name="durable", clean=False, topic=TOPIC)
    seen: set[int] = set()
    while not seen.issuperset(range(last + 1)):
        seen.add(int(durable.next("all/ws/text", 20)))
    local.close()
