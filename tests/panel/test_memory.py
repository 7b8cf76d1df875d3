"""The demo's page on a board with the memory of a chip, a certificate and default settings."""

import base64
import contextlib
import hashlib
import http.client
import json
import ssl
import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.panel.viewer import Viewer
from tools.bench.heap import ProbedBoard, WebSocket, open_demo
from tools.virtualboard import chipheap
from tools.virtualboard.interpreter import interpreter
from tools.wsclient import RawClient

PASSWORD = "memory-password"


@pytest.fixture(scope="module")
def board(make_board, certs):
    return start(make_board, certs)


def need_chip():
    if chipheap.build_of(Path(interpreter().command[-1])) is None:
        pytest.skip("only the interpreter of WORD=32 can grow its heap as a chip does")


def start(make_board, certs, **changes):
    need_chip()
    board = make_board(
        config={"admin": {"password": PASSWORD}, **changes}, certs=certs, heap="chip"
    )
    board.wait_for_log("and wss://")
    return board


@pytest.fixture
def trust(certs):
    return ssl.create_default_context(cafile=str(certs / "ca.pem"))


@contextlib.contextmanager
def settings(board, trust):
    """Open the settings, and read all sections as the page does."""
    socket = connect(board, trust, "settings")
    try:
        summary = json.loads(socket.recv())
        for section in summary["sections"]:
            socket.send(json.dumps({"show": section}))
            assert section in socket.recv()
        yield socket
    finally:
        socket.close()


def secret():
    """Return the password as pages send it."""
    return base64.urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("=")


def connect(board, trust, name):
    """Connect to /settings or /update as its page and `make deploy` do."""
    return websocket.create_connection(
        f"wss://{board.address}:{board.https_port}/{name}",
        timeout=20,
        subprotocols=[name, f"bearer.{secret()}"],
        sslopt={"context": trust},
    )


def send_files(board, trust):
    """Send the content of a small update, without the commit that would restart the board."""
    socket = connect(board, trust, "update")
    piece = json.loads(socket.recv())["piece"]

    def ask(*command):
        socket.send(json.dumps(command))
        answer = json.loads(socket.recv())
        assert not isinstance(answer, dict), answer
        return answer

    paths = [f"/lib/admin/module{number}.mpy" for number in range(30)]
    for path in paths:
        assert ask("hash", path) == ""
    while ask("begin") < 0:
        pass
    ask("nonce")
    content = bytes(range(256)) * 12
    for path in paths:
        assert ask("file", path, len(content), hashlib.sha256(content).hexdigest()) == 0
        for start in range(0, len(content), piece):
            socket.send_binary(content[start : start + piece])
            assert isinstance(json.loads(socket.recv()), int)
    assert ask("remove", "/lib/admin/module1.mpy") == 0
    socket.close()


def use_demo(board):
    """Open /demo, and use all of its commands. Return the client."""
    demo = open_demo(board)
    assert not isinstance(demo, str), demo
    for command in ({"name": "Ada"}, {"message": "hi"}, {"led": True}, {"echo": "x"}):
        demo.send_text(json.dumps(command).encode())
    for text in (b"LED_ON", b"TOGGLE_LED", b"unknown"):
        demo.send_text(text)
    demo.message(b"is not a command")
    return demo


def visit(board, trust):
    """Open the page by https, and its panel by wss; return the panel."""
    request = urllib.request.Request(board.https_url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, context=trust, timeout=20) as page:
        assert page.status == 200
        page.read()
    return Viewer(board, secure=trust)


def use(viewer):
    """Switch the LED, say something, and see values."""
    assert viewer.set("LED", True)["type"] == "done"
    assert viewer.set("Chat", {"message": "hello"})["type"] == "done"
    assert viewer.set("LED", False)["type"] == "done"
    for _ in range(2):
        viewer.wait("values")


def test_the_page_works_with_a_certificate_and_default_settings(board, trust):
    grown = board.heap.grown
    one = visit(board, trust)
    assert one.hello["problem"] is None
    assert {"LED", "Chat", "CPU", "Heap in use"} <= one.ids.keys()
    use(one)
    one.leave()
    assert board.heap.grown == grown


def test_the_settings_after_the_demos_page_do_not_grow_the_heap(board, trust):
    grown = board.heap.grown
    one = visit(board, trust)
    use(one)
    one.leave()
    for _ in range(2):
        with settings(board, trust):
            pass
    assert board.heap.grown == grown


def test_two_pages_and_the_settings_in_turn_do_not_grow_the_heap(board, trust):
    grown = board.heap.grown
    pages = [visit(board, trust), Viewer(board)]  # by default there is one slot for wss
    for one in pages:
        use(one)
    for one in pages:
        one.leave()
    with settings(board, trust):
        pass
    one = visit(board, trust)
    use(one)
    one.leave()
    with settings(board, trust):
        pass
    assert board.heap.grown == grown


def test_the_settings_in_the_first_minute_do_not_grow_the_heap(make_board, certs, trust):
    """While the BOOT button is watched."""
    board = start(make_board, certs)
    grown = board.heap.grown
    with settings(board, trust):
        pass
    assert board.heap.grown == grown


def test_a_client_without_gzip_does_not_take_the_memory_of_tls(board):
    """Decompressing a page for curl takes 5 KB, which are not free beside the demo's page."""
    grown = board.heap.grown
    viewers = [Viewer(board) for _ in range(2)]
    with RawClient(board.http_port) as curl:
        curl.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert curl.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        curl.rest()
    for viewer in viewers:
        viewer.leave()
    assert board.heap.grown == grown


def test_frozen_modules_let_the_settings_open_beside_the_page(board, trust):
    if not interpreter().is_frozen:
        pytest.skip("the firmware is not frozen into this interpreter (docs/virtual-board.md)")
    one = Viewer(board)
    use(one)
    with settings(board, trust):
        one.wait("values")
        Viewer(board).leave()
    one.leave()
    assert board.heap.grown == 0


def test_the_settings_close_a_page_whose_memory_they_need(board, trust):
    if interpreter().is_frozen:
        pytest.skip("frozen modules leave enough memory for both")
    grown = board.heap.grown
    one = Viewer(board)  # without TLS: by default there is one slot for WebSocket
    use(one)
    with settings(board, trust):
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            while True:
                one.hear()
        again = websocket.create_connection(board.ws_url("/panel"), timeout=20)
        code, reason = closed(again)
        assert (code, reason) == (1013, "not enough memory for demo.status")
    assert board.heap.grown == grown
    one = visit(board, trust)
    use(one)
    one.leave()


def closed(socket):
    """Return (code, reason) of the Close that comes first."""
    opcode, data = socket.recv_data(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    return int.from_bytes(data[:2], "big"), data[2:].decode()


def test_an_update_beside_an_open_demo_does_not_grow_the_heap(make_board, certs, trust):
    board = start(make_board, certs)
    grown = board.heap.grown
    with settings(board, trust):
        pass
    plain = [WebSocket(board.http_port, "/ws") for _ in range(2)]
    for client in plain:
        client.echo(4088)
    demo = use_demo(board)
    send_files(board, trust)
    for client in plain:
        client.close()
    with pytest.raises(OSError):  # closed to free memory for the update
        demo.message(b"never")
    assert board.heap.grown == grown


def test_a_refused_request_for_settings_does_not_grow_the_heap(make_board, certs):
    """Grown, the heap leaves no TLS session, and then the settings are served without TLS."""
    board = start(make_board, certs)
    grown = board.heap.grown
    use(Viewer(board))
    for name in ("update", "settings"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(
                board.ws_url("/" + name), timeout=20, subprotocols=[name, f"bearer.{secret()}"]
            )
    assert board.heap.grown == grown


def ask(board, path):
    """Request a path as a page on the internet would. Return (status, Retry-After)."""
    client = http.client.HTTPConnection(board.address, board.http_port, timeout=20)
    headers = {"Origin": "http://evil.example"} if path == "/join" else {}
    client.request("GET", path, headers=headers)
    response = client.getresponse()
    response.read()
    client.close()
    return response.status, response.getheader("Retry-After")


def test_requests_that_are_refused_do_not_close_the_page(make_board, certs):
    board = start(make_board, certs)
    for path in ("/settings", "/update", "/join"):
        one = Viewer(board)
        use(one)  # the code of commands is loaded: less than register needs is free
        assert ask(board, path) == (403, None)
        one.wait("values")
        one.wait("values")
        one.leave()
    assert "needs the memory" not in board.log


def test_refused_requests_close_the_page_at_most_every_30_seconds(make_board, certs, trust):
    """Where not even checking the password has the memory that it needs."""
    if interpreter().is_frozen:
        pytest.skip("frozen modules leave enough memory")
    board = start(make_board, certs, log={"buffer": 4096})
    for answer in ((403, None), (503, "30")):
        viewers = [Viewer(board) for _ in range(3)]
        for one in viewers:
            use(one)
        begin = board.log_position
        assert ask(board, "/join") == answer
        closed = "admin.firstrun needs the memory" in board.log[begin:]
        assert closed == (answer[0] == 403)
        if not closed:
            one.wait("values")
            one.wait("values")
            use(one)  # its code would be unloaded after five seconds
            # Another path frees memory once, and then its guard stays, so that the owner can come.
            assert ask(board, "/settings") == (403, None)
            assert "admin.access needs the memory" in board.log[begin:]
            begin = board.log_position
            assert ask(board, "/update") == (403, None)
            with settings(board, trust):
                pass
        for one in viewers:
            one.socket.close()


def test_the_open_demo_leaves_a_free_block_for_the_longest_message(certs, trust):
    need_chip()
    config = {"admin": {"password": PASSWORD}, "broadcast": {"interval": 0}}
    with ProbedBoard(config, "chip", certs=certs) as probed:
        probed.wait_for_log("and wss://")
        with settings(probed, trust):
            pass
        plain = [WebSocket(probed.http_port, "/ws") for _ in range(4)]
        for client in plain:
            client.echo(4088)
        for _ in range(3):
            begin = probed.log_position
            demo = use_demo(probed)
            assert probed.largest_free() > 4096
            for client in plain:
                client.echo(4088)
            demo.close()
            probed.wait_for_log("disconnected", since=begin)
        assert probed.heap.grown == 1


def test_viewing_the_demo_takes_at_most_4400_bytes(board):
    """The names of its code, which stay in memory, were counted before."""
    with ProbedBoard({"broadcast": {"interval": 0}}, "chip") as probed:
        probed.wait_ready()
        Viewer(probed).leave()
        plain = WebSocket(probed.http_port, "/ws")
        plain.echo(32)
        before = probed.in_use()
        plain.close()
        one = Viewer(probed)
        for _ in range(7):
            one.wait("values")  # the code of commands is unloaded after five seconds
        viewed = probed.in_use() - before
        one.leave()
    print("viewing takes", viewed)
    assert viewed <= 4400
