"""Boards to mistreat, and the well-behaved client that must not notice."""

from __future__ import annotations

import json
import time

import pytest

from tests.faults import network
from tests.faults.figures import Figures
from tests.waiting import wait_until
from tests.wsserver.conftest import Raw
from tools.hardening.soak import board as boards
from tools.wsclient import TEXT, frame

# What the others' p99 may grow by beside twice its normal, s: the machine has other work, too, and
# the quiet board that it is compared with sleeps while the other one works.
NOISE = 0.003


@pytest.fixture(scope="session")
def make_victim(make_board, certs):
    """make_victim(heap=..., tls=..., ping_interval=..., ...) -> a board that says how it fares."""

    def make(heap="128k", tls=False, wait=True, sockets=10, level=None, routes=False, **server):
        server = {"max_clients": 6, "ping_interval": 1, "ping_timeout": 1, **server}
        server = {"open_timeout": 2, "close_timeout": 1, **server}
        files = boards.files(tls, level, routes, **server)
        folder = certs if tls else None
        return make_board(heap=heap, files=files, certs=folder, wait=wait, sockets=sockets)

    return make


@pytest.fixture(scope="session")
def quiet(make_victim):
    """A probe of a board to which nothing happens."""
    probe = Probe(make_victim(ping_interval=None))
    yield probe
    probe.close()


@pytest.fixture(scope="session")
def all_figures():
    figures = Figures()
    yield figures
    figures.write()


@pytest.fixture
def figures(request, all_figures):
    """figures(table, what was done, ...): a row of docs/reliability.md, in the long versions."""
    long = request.node.get_closest_marker("faults")
    return all_figures.add if long else lambda *_: None


def health(board) -> dict:
    """What the board says of itself; it needs a place for one more client."""
    end = time.monotonic() + 20
    while True:
        connection = None
        try:
            connection = Raw(board)
            connection.open("/health").send(frame(TEXT, b"?"))
            return json.loads(connection.frame()[1])
        except (AssertionError, OSError):
            assert time.monotonic() < end, "the board takes nobody in to be asked"
            time.sleep(0.05)
        finally:
            if connection:
                connection.close()


def wait_alone(board, others=0, seconds=20):
    """Wait until there is nobody left but the one who asks, and `others`.

    Return the board's health, with the smallest heap of three: an old pointer on the stack can
    keep a module of a client that has left.
    """
    found = {}

    def alone():
        found.update(health(board))
        return found["clients"] == 1 + others and not found["visitors"]

    try:
        wait_until(alone, "the others to be gone", seconds)
    except AssertionError:
        raise AssertionError(f"not {others} others were left: {found}") from None
    found["heap"] = min(found["heap"], *(health(board)["heap"] for _ in range(2)))
    return found


def round_trips(probes, count, pause=0.002):
    """(median, 99th percentile) of the round trips of each probe, s: they take turns, so that what
    else the machine does meets all of them.
    """
    times = [[] for _ in probes]
    for index in range(count):
        text = b"probe %d" % index
        for probe, its in zip(probes, times, strict=True):
            started = time.perf_counter()
            assert probe.echo(text) == text
            its.append(time.perf_counter() - started)
        time.sleep(pause)
    return [(sorted(its)[count // 2], sorted(its)[int(count * 0.99)]) for its in times]


def bearable(measure, attempts=4):
    """((median, p99), the quiet board's) as `measure` returns them, and whether the others were
    left alone; once may be the machine's other work.
    """
    for _ in range(attempts):
        found, usual = measure()
        if found[0] <= 2 * usual[0] + NOISE / 3 and found[1] <= 2 * usual[1] + NOISE:
            return found, usual, True
    return found, usual, False


def ms(times):
    """Times as the document has them."""
    return ", ".join(f"{one * 1000:.2f}" for one in times)


class Probe:
    """A client that does all right."""

    def __init__(self, board):
        self.connection = Raw(board).open()

    def echo(self, text):
        self.connection.send(frame(TEXT, text))
        opcode, payload = self.connection.frame()
        while opcode != TEXT:
            opcode, payload = self.connection.frame()
        return payload

    def close(self):
        self.connection.close()


@pytest.fixture(scope="module")
def link(virtual_only):
    """A link between two namespaces: (link, the near namespace, the far one)."""
    reason = network.missing()
    if reason:
        pytest.skip(reason)
    near, far = network.Namespace("wsnear"), network.Namespace("wsfar")
    try:
        between = network.Link(near, far)
        yield between, near, far
        between.close()
    finally:
        near.remove()
        far.remove()


@pytest.fixture(scope="module")
def board_elsewhere(link):
    """The board at the near end of the link."""
    server = {"max_clients": 6, "ping_interval": 1, "ping_timeout": 1}
    with network.BoardElsewhere(link[1], files=boards.files(**server)) as board:
        board.wait_ready()
        yield board


@pytest.fixture(scope="module")
def patient_board(link):
    """The same with the firmware's own limits of time."""
    with network.BoardElsewhere(link[1], files=boards.files(max_clients=6)) as board:
        board.wait_ready()
        yield board
