"""The boards that the tests talk to: virtual ones by default, a real one with --board ADDRESS."""

from __future__ import annotations

import pytest

from tools.virtualboard import VirtualBoard


def pytest_addoption(parser):
    parser.addoption(
        "--board", metavar="ADDRESS[:PORT]", help="test a real board instead of virtual ones"
    )


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
        with VirtualBoard(config={"broadcast": {"interval": 0}}) as virtual:
            virtual.wait_ready()
            yield virtual


@pytest.fixture(scope="session")
def make_board(request):
    """make_board(config=..., heap=..., files=...) -> a virtual board of one's own, running to the
    end of the session.

    wait=False: do not wait until it serves. Skips where the tests are for a real board.
    """
    address = request.config.getoption("--board")
    boards = []

    def make(wait=True, **arguments):
        if address:
            pytest.skip("needs a virtual board of its own, and the tests are for a real one")
        board = VirtualBoard(**arguments)
        boards.append(board)
        board.start()
        if wait:
            board.wait_ready()
        return board

    yield make
    for board in boards:
        board.stop()
