"""Files whose content is broken: only the request for them fails."""

import gzip

import pytest

from tests.wsserver.programs import ECHO
from tests.wsserver.web import Web
from tools.wsclient import TEXT, frame

APP = (
    ECHO
    + """

server = Server(log=log)
server.websocket("/ws", Echo())
server.files("/", "/site")
server.listen(80)
server.run()
print("run() has returned")
"""
)
WHOLE = gzip.compress(bytes(range(256)) * 200, mtime=0)
MARK = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff"

BROKEN = {
    "truncated": WHOLE[:-100],
    "only-a-head": WHOLE[:10],
    "half-a-trailer": WHOLE[:-4],
    "wrong-sum": WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:],
    "wrong-length": WHOLE[:-4] + b"\1\0\0\0",
    "long-length": WHOLE[:-4] + b"\0\0\0\x10",
    "no-gzip": b"plain text, not compressed at all",
    "zeros": bytes(100),
    "cut-in-the-middle": WHOLE[:200] + WHOLE[-8:],
    "empty": b"",
    "short": b"1234",
    "only-the-mark": MARK + b"\x05\x00WB\x01\x00",
    "eighteen-bytes": MARK + b"\x05\x00WB\x01\x00\x0f\0",
    "small-window": MARK + b"\x05\x00WB\x01\x00\x08" + WHOLE[10:],
    "bad-block": WHOLE[:10] + b"\xff" * 100 + WHOLE[-8:],
}
FILES = {f"site/{name}.txt.gz": data for name, data in BROKEN.items()}


@pytest.fixture(scope="module")
def make(make_board):
    files = {"main.py": APP, "site/index.html": "<title>fine</title>", **FILES}
    return lambda: make_board(files=files, heap="256k")


@pytest.fixture(scope="module")
def board(make):
    return make()


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_costs_its_own_request_only(raw, board, name, accepted):
    position = board.log_position
    other = raw(board).open()
    peer = raw(board).send(
        f"GET /{name}.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\n\r\n".encode()
    )
    head, _, body = peer.rest().partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (200, 404, 500)
    assert b"Content-Length: " in head
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert len(body) <= length
    assert other.send(frame(TEXT, b"hello")).frame() == (TEXT, b"hello")
    assert Web(board).ask("/")[::2] == (200, b"<title>fine</title>")
    assert "run() has returned" not in board.log[position:]
    assert "Traceback" not in board.log[position:]


@pytest.mark.parametrize("name", ["truncated", "bad-block"])
def test_a_file_that_cannot_be_decompressed_is_named_in_the_log(raw, make, name):
    """On a board of its own: lines about refused requests are limited to a few in ten seconds."""
    board = make()
    position = board.log_position
    raw(board).send(
        f"GET /{name}.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n".encode()
    ).rest()
    board.wait_for_log(rf"\[30\].*{name}", since=position)
