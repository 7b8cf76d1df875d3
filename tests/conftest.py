"""The boards that the tests talk to: virtual ones by default, a real one with --board ADDRESS."""

from __future__ import annotations

import pytest

from tools.certs import cli
from tools.virtualboard import VirtualBoard
from tools.virtualboard.board import heap_bytes

# The forms of lib/ that a virtual board can load, as arguments of VirtualBoard.
FORMS: dict = {"native": {}, "bytecode": {"native": False}, "source": {"source": True}}
# The least heap with which the firmware serves its clients in the other two.
LEAST_HEAP = {"native": "16k", "bytecode": "96k", "source": "128k"}


def pytest_addoption(parser):
    parser.addoption(
        "--board", metavar="ADDRESS[:PORT]", help="test a real board instead of virtual ones"
    )
    parser.addoption(
        "--lib",
        choices=FORMS,
        default="native",
        help="what the virtual boards run: lib/ compiled for this CPU, or to bytecode alone, or "
        "from source",
    )


def pytest_report_header(config):
    return f"lib/ on virtual boards: {config.getoption('--lib')}"


class RealBoard:
    """A board somewhere on the network, which runs the project's firmware. It cannot be looked
    into.
    """

    def __init__(self, address: str):
        self.address, _, port = address.partition(":")
        self.http_port = int(port or 80)

    @property
    def http_url(self) -> str:
        return f"http://{self.address}:{self.http_port}/"

    def ws_url(self, path: str = "/ws") -> str:
        return f"ws://{self.address}:{self.http_port}{path}"


@pytest.fixture(scope="session")
def board(request):
    """The board that most tests share: it runs the firmware as it is, but without broadcasts of
    its own accord.

    A real board has to be told the same by its config.json; where it is not, tests that would be
    disturbed say so.
    """
    address = request.config.getoption("--board")
    if address:
        yield RealBoard(address)
    else:
        form = FORMS[request.config.getoption("--lib")]
        with VirtualBoard(config={"broadcast": {"interval": 0}}, **form) as virtual:
            virtual.wait_ready()
            yield virtual


@pytest.fixture(scope="session")
def make_board(request):
    """make_board(config=..., heap=..., files=...) -> a virtual board of one's own, running to the
    end of the session.

    wait=False: do not wait until it serves. Skips where the tests are for a real board, and where
    the heap is too small for the form of lib/ that they are for.
    """
    address = request.config.getoption("--board")
    name = request.config.getoption("--lib")
    boards = []

    def make(wait=True, heap="128k", **arguments):
        if address:
            pytest.skip("needs a virtual board of its own, and the tests are for a real one")
        if heap_bytes(heap) < heap_bytes(LEAST_HEAP[name]):
            pytest.skip(f"a heap of {heap} is not for {name}")
        board = VirtualBoard(heap=heap, **{**FORMS[name], **arguments})
        boards.append(board)
        board.start()
        if wait:
            board.wait_ready()
        return board

    yield make
    for board in boards:
        board.stop()


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """A folder that `make certs` has filled, to be read only."""
    folder = tmp_path_factory.mktemp("authority") / "certs"
    assert cli.main(["--folder", str(folder)]) == 0
    return folder
