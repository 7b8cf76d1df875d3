"""Applications on a board with the memory of a chip."""

import time
import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.conftest import need_chip_heap
from tests.waiting import wait_until
from tools.bench.heap import ProbedBoard
from tools.virtualboard.interpreter import interpreter
from tools.wsclient import CLOSE, TEXT, RawClient, frame

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


def start(make_board, certs, application=None, program=None, **config):
    need_chip_heap()
    files = {"app/app.py": application} if application else {}
    if program:
        files["main.py"] = program
    config = {"admin": {"password": "memory-password"}, **config}
    board = make_board(config=config, files=files, certs=certs, heap="chip")
    board.wait_for_log("and (https|wss)://")
    return board


def visit(board, trust):
    request = urllib.request.Request(board.https_url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, context=trust, timeout=20) as page:
        assert page.status == 200
        page.read()


@pytest.mark.parametrize("application", [EVENTS, LARGE], ids=["events", "large"])
def test_an_application_cannot_take_the_last_tls_connections_memory(
    make_board, certs, trust, application
):
    board = start(make_board, certs, application)
    for _ in range(2):
        visit(board, trust)
    left = "the application leaves memory for 1 TLS connection" in board.log
    assert left == (board.heap.grown > 1)


def test_a_small_application_leaves_both_tls_connections(make_board, certs, trust):
    board = start(make_board, certs, "def setup(board):\n    pass\n")
    visit(board, trust)
    assert board.heap.grown == (0 if interpreter().is_frozen else 1)
    assert "the application leaves" not in board.log


SESSION = 23_800
ECHO = """
class Echo:
    def on_message(self, client, message):
        client.send(message)
"""
# What each of them takes after the start let the heap grow into the memory of all TLS connections.
ASYNC_SETUP = """
import asyncio

kept = []

async def setup(board):
    await asyncio.sleep_ms(100)
    for _ in range(4):
        kept.append(bytearray(4000))
    print("it is set up")
"""
HALF_SENT = (
    ECHO
    + """
kept = [bytearray(4000) for _ in range(3)]

def setup(board):
    board.server.websocket("/ws", Echo())
"""
)
SMALL = (
    ECHO
    + """
def setup(board):
    board.server.websocket("/ws", Echo())
"""
)
WIDGETS = (
    ECHO
    + """
import asyncio

async def status(request):
    await asyncio.sleep_ms(5)
    return {"count": 1}

async def tick():
    await asyncio.sleep_ms(10)

def setup(board):
    board.panel.value("Count", lambda: 1)
    board.panel.value("Temperature", lambda: 20.5)
    board.panel.switch("Lamp", lambda: False, print)
    board.server.websocket("/ws", Echo())
    board.server.route("/status")(status)
    board.server.every(1000, tick)
"""
)
FILL = (
    ECHO
    + """
kept = []

class Fill:
    def on_message(self, client, message):
        try:
            while True:
                kept.append(bytearray(1000))
        except MemoryError:
            kept.clear()
            raise

def setup(board):
    board.server.websocket("/fill", Fill())
    board.server.websocket("/ws", Echo())
"""
)


def wait_for_setup(board):
    board.wait_for_log("it is set up")


def send_halves(board):
    """Have four clients send a part of a message of 4 KB, and leave."""
    clients = [RawClient(board.http_port).open() for _ in range(4)]
    for client in clients:
        client.send(frame(TEXT, b"x" * 4000)[:3000])
    echo(board, clients)


def request_pages(board):
    """Request a page and a route as curl does, four times each."""
    for path in (b"/", b"/status") * 4:
        client = RawClient(board.http_port)
        client.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % path)
        assert client.rest().startswith(b"HTTP/1.1 200 ")


def fill(board):
    """Have a callback run out of memory, twice; its client is closed, and the board goes on."""
    for _ in range(2):
        client = RawClient(board.http_port).open("/fill")
        opcode, reason = client.send(frame(TEXT, b"now")).frame()
        assert opcode == CLOSE and int.from_bytes(reason[:2], "big") == 1011
        client.sock.close()
    board.wait_for_log("MemoryError: memory allocation failed")
    echo(board, [RawClient(board.http_port).open()])


def echo(board, clients):
    """The board answers one more client; then all leave."""
    if board.heap.free > 2000 and len(clients) < 5:
        one = RawClient(board.http_port).open()
        assert one.send(frame(TEXT, b"still here")).frame() == (TEXT, b"still here")
        one.sock.close()
    for client in clients:
        client.sock.close()


LATER = {
    "an async setup": (ASYNC_SETUP, wait_for_setup),
    "messages that are half sent": (HALF_SENT, send_halves),
    "widgets and async routes": (WIDGETS, request_pages),
    "a callback that fills the memory": (FILL, fill),
}


@pytest.mark.parametrize("case", LATER)
def test_what_an_application_takes_later_leaves_memory_for_tls(make_board, certs, trust, case):
    application, act = LATER[case]
    board = start(make_board, certs, application)
    act(board)
    for _ in range(2):
        visit(board, trust)
    assert board.heap.size < 125_000


def secure_client(board, trust):
    url = f"wss://localhost:{board.https_port}/ws"
    return websocket.create_connection(url, timeout=10, sslopt={"context": trust})


def wait_for_pool(board, size):
    wait_until(lambda: board.heap.pool == size, f"a pool of {size} bytes")


def test_the_first_tls_connection_takes_the_spare_sessions_memory(make_board, certs, trust):
    board = start(make_board, certs, SMALL, tls={"reserved": 0})
    free = board.heap.pool
    # Of the two that fit, one is spare; with frozen modules, of three or more.
    assert free >= SESSION
    for _ in range(3):
        first = secure_client(board, trust)
        assert board.heap.pool == free
        second = secure_client(board, trust)
        assert board.heap.pool == free - SESSION
        first.close()
        wait_for_pool(board, free)
        second.close()
        wait_for_pool(board, free)
    assert board.heap.least >= 0


def test_many_tls_connections_leave_the_spare_session_and_no_garbage(make_board, certs, trust):
    board = start(make_board, certs, SMALL)
    free = board.heap.pool
    visit(board, trust)
    wait_for_pool(board, free)
    size = board.heap.size
    for _ in range(30):
        secure_client(board, trust).close()
        wait_for_pool(board, free)
    assert board.heap.size == size


NEEDY = (
    ECHO
    + """
kept = []

def setup(board):
    board.server.websocket("/ws", Echo())
    board.server.route("/need")(need)

def need(request):
    while len(kept) < 12:
        kept.append(bytearray(4000))
    return "%d" % len(kept)
"""
)


def ask(board):
    client = RawClient(board.http_port)
    client.send(b"GET /need HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    return client.rest().split(b"\r\n")[0]


def test_a_refused_request_gives_the_memory_of_tls_to_the_application(make_board, certs):
    """Else an application that needs more than is left could not serve a single page."""
    board = start(make_board, certs, NEEDY)
    if interpreter().is_frozen:
        pytest.skip("there is enough memory for the application of this test")
    line = "the application needs the memory of TLS: https may end now"
    client = RawClient(board.http_port).open()
    client.send(frame(TEXT, b"x" * 4000)[:3000])
    for _ in range(2):  # the client may be what needs the memory
        assert ask(board).startswith(b"HTTP/1.1 503 ")
    assert line not in board.log
    client.sock.close()
    board.wait_for_log("disconnected")
    wait_until(lambda: ask(board).startswith(b"HTTP/1.1 200 "), "the page", 20)
    assert line in board.log


def test_an_application_that_leaves_little_is_told_what_tls_may_lose(make_board, certs):
    if interpreter().is_frozen:
        pytest.skip("there is enough memory for the application of this test")
    board = start(make_board, certs, LARGE.replace("range(6)", "range(9)"))
    board.wait_for_log(
        r"the application leaves \d+ KB of memory: https may end when it needs more"
    )
    assert ask(board).startswith(b"HTTP/1.1 404 ")  # it serves


FULL = """
from wsserver import lazy

kept = []

def setup(board):
    board.server.after(100, fill)
    board.server.after(300, leave)

def fill():
    try:
        while True:
            kept.append(bytearray(1000))
    except MemoryError:
        kept.clear()

def leave():
    global kept
    while lazy.free_heap() > LEFT:
        kept = kept, bytearray(200)
    print("memory is full")
"""


@pytest.mark.parametrize("left", [12000, 17500])
def test_an_application_that_fills_the_memory_does_not_lock_the_owner_out(make_board, certs, left):
    """The settings need more of the GC heap, which cannot grow into the spare session."""
    if interpreter().is_frozen and left > 12000:
        pytest.skip("there is enough memory for the settings page beside TLS")
    board = start(make_board, certs, FULL.replace("LEFT", str(left)))
    board.wait_for_log("memory is full")
    url = f"ws://localhost:{board.http_port}/settings"
    header = ["Authorization: Bearer memory-password"]
    for _ in range(3):
        settings = websocket.create_connection(
            url, timeout=20, header=header, subprotocols=["settings"]
        )
        assert "sections" in settings.recv()
        settings.close()
    board.wait_for_log("maintenance over http: no place or memory for TLS")


def test_a_request_without_the_password_does_not_end_tls(make_board, certs, trust):
    if interpreter().is_frozen:
        pytest.skip("there is enough memory for the settings page beside TLS")
    board = start(make_board, certs, FULL.replace("LEFT", "16000"))
    board.wait_for_log("memory is full")
    for header in (None, ["Authorization: Bearer wrong"]):
        with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
            websocket.create_connection(
                f"ws://localhost:{board.http_port}/settings", timeout=20, header=header
            )
    assert "https may end now" not in board.log
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):  # it has no /ws
        secure_client(board, trust)


def test_a_long_command_of_the_demo_does_not_end_tls(make_board, certs, trust):
    """One of 3,000 bytes let the heap grow into the memory of TLS."""
    board = start(make_board, certs)
    grown = board.heap.grown
    for size in (3000, 2180):
        with RawClient(board.http_port).open("/demo") as client:
            client.send(frame(TEXT, b'{"echo": "%s"}' % (b"a" * size)))
            answer = b""
            while not (b'"echo": "a' in answer or b"a command has at most 2200 bytes" in answer):
                answer = client.message()
        assert (b'"echo": "a' in answer) == (size < 2200)
        visit(board, trust)
    assert board.heap.grown == grown


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


def test_names_can_be_added_to_the_code_of_the_start(certs):
    """The next table of names takes 4.5 KB in one piece, which the start has no place for."""
    need_chip_heap()
    with ProbedBoard({"admin": {"password": "memory-password"}}, "chip", certs=certs) as board:
        board.wait_for_log("and (https|wss)://")
        left = board.names_left()
    print("names left", left)
    assert left >= 30


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


def test_no_request_head_of_2_kb_makes_the_heap_grow(make_board, certs, trust):
    """Split at each mark, it took up to 20 times its size, until TLS had no memory left."""
    board = start(make_board, certs, access={"maintenance_tls": False})
    fields = ("Sec-WebSocket-Protocol", "Accept-Encoding")
    targets = ("/" + "a/" * 850, "/" + "x" * 1700, "/" + "%41" * 570, "/settings?" + "abc&" * 415)
    heads = [f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for target in targets]
    heads.append("GET /settings?token=" + "%41" * 560 + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    start_of = "GET /settings HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    heads += [f"{start_of}{field}: {'a,' * 830}\r\n\r\n" for field in fields]
    heads.append("G " * 850 + "\r\n\r\n")
    for head in heads:
        before = board.heap
        with RawClient(board.http_port) as peer:
            peer.send(head.encode())
            assert peer.until(b"\r\n\r\n")
        after = board.heap
        assert after.grown == before.grown, (head[:40], after)
    visit(board, trust)


def test_pages_for_two_clients_that_do_not_decompress_fit(make_board, certs, trust):
    board = start(make_board, certs)
    grown = board.heap.grown
    peers = [RawClient(board.http_port, receive_buffer=1024) for _ in range(2)]
    for peer in peers:
        peer.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    heads = [peer.until(b"\r\n\r\n") for peer in peers]
    assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)
    assert [b"Content-Encoding: gzip" in head for head in heads] == [False, True]
    for peer in peers:
        assert peer.rest()
        peer.close()
    assert board.heap.grown == grown
    visit(board, trust)


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
