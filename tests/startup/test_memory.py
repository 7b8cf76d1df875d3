"""Applications on a board with the memory of a chip."""

import ssl
import time
import urllib.request
from pathlib import Path

import pytest
import websocket

from tools.virtualboard import chipheap
from tools.virtualboard.interpreter import interpreter

ROOT = Path(__file__).resolve().parents[2]
EVENTS = """
def setup(board):
    board.server.events("/events")
"""
LARGE = """
kept = []

def setup(board):
    for _ in range(6):
        kept.append(bytearray(4000))
"""


def start(make_board, certs, application=None, program=None):
    if chipheap.build_of(Path(interpreter().command[-1])) is None:
        pytest.skip("only the interpreter of WORD=32 can grow its heap as a chip does")
    files = {"app/app.py": application} if application else {}
    if program:
        files["main.py"] = program
    config = {"admin": {"password": "memory-password"}}
    board = make_board(config=config, files=files, certs=certs, heap="chip")
    board.wait_for_log("and https://" if application else "and wss://")
    return board


def visit(board, certs):
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    request = urllib.request.Request(board.https_url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, context=context, timeout=20) as page:
        assert page.status == 200
        page.read()


@pytest.mark.parametrize("application", [EVENTS, LARGE], ids=["events", "large"])
def test_an_application_cannot_take_the_last_tls_connections_memory(
    make_board, certs, application
):
    board = start(make_board, certs, application)
    for _ in range(2):
        visit(board, certs)
    left = "the application leaves memory for 1 TLS connection" in board.log
    assert left == (board.heap.grown > 1)


def test_a_small_application_leaves_both_tls_connections(make_board, certs):
    board = start(make_board, certs, "def setup(board):\n    pass\n")
    visit(board, certs)
    assert board.heap.grown == (0 if interpreter().is_frozen else 1)
    assert "the application leaves" not in board.log


def settled(board):
    """Return bytes of the heap in use as soon as they stay the same."""
    used, before = board.heap.used, None
    while used != before:
        time.sleep(0.2)
        used, before = board.heap.used, used
    return used


def test_each_start_leaves_the_same_memory(make_board, certs):
    """What the stack still referred to kept all of startup in most starts, but not in all."""
    used = []
    for _ in range(6):
        board = start(make_board, certs)
        used.append(settled(board))
        board.stop()
    assert max(used) - min(used) < 3500, used
    assert interpreter().is_frozen or max(used) < 79_000, used


def test_a_reference_to_startups_names_keeps_none_of_its_code(make_board, certs):
    """The stack may hold one by chance, as long as the server runs."""
    main = (ROOT / "main.py").read_text()
    keeps = main.replace(
        "    import startup\n", "    import startup\n\n    kept.append(startup.__dict__)\n"
    )
    assert keeps != main
    used = []
    for program in (main, keeps):
        board = start(make_board, certs, program="kept = []\n" + program)
        used.append(settled(board))
        board.stop()
    assert used[1] - used[0] < 2000, used


SLOW = """
import asyncio
import gc


class Slow:
    async def on_message(self, client, message):
        if message == "close":
            await asyncio.sleep_ms(300)
            client.close(4000)
            await asyncio.sleep(100)
        await asyncio.sleep_ms(2)
        client.send(message)


class Filler:
    def on_message(self, client, message):
        try:
            while True:
                kept.append(None)
                kept[-1] = bytearray(600)
        except MemoryError:
            pass
        for index in range(0, len(kept), 2):
            kept[index] = None
        gc.collect()
        client.send("filled")


kept = []


def setup(board):
    board.server.websocket("/slow", Slow())
    board.server.websocket("/fill", Filler())
"""


@pytest.fixture
def slow(compiled, make_board):
    """A board and a client of /slow; the heap has no place for more than 600 bytes."""
    board = make_board(files={"app/app.py": SLOW})
    filler = websocket.create_connection(board.ws_url("/fill"), timeout=10)
    client = websocket.create_connection(board.ws_url("/slow"), timeout=10)
    filler.send("now")
    assert filler.recv() == "filled"
    return board, client


def flood(client, texts):
    """Send messages at once, as a peer does that does not wait."""
    frames = [websocket.ABNF.create_frame(text, websocket.ABNF.OPCODE_TEXT) for text in texts]
    client.sock.sendall(b"".join(frame.format() for frame in frames))


@pytest.mark.parametrize("size", [10, 90, 500])
def test_a_flooded_coroutine_needs_no_memory_in_one_piece(slow, size):
    board, client = slow
    texts = [("%04d" % number).ljust(size, "x") for number in range(100)]
    flood(client, texts)
    assert [client.recv() for _ in texts] == texts, board.log


def test_a_flooded_coroutine_may_close_its_client(slow):
    board, client = slow
    flood(client, ["close"] + ["x" * 90] * 100)
    assert client.recv_data() == (websocket.ABNF.OPCODE_CLOSE, (4000).to_bytes(2, "big"))
    board.wait_for_log("client 2 disconnected: 4000", timeout=4)
