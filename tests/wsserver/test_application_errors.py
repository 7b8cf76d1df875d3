"""Errors of the application: they cost at most the client at which they happen."""

import contextlib
import select
import socket
import time

import pytest

from tests.wsserver.programs import ECHO, run_script
from tests.wsserver.web import Web
from tools.wsclient import PING, REQUEST, TEXT, frame

APP = (
    ECHO
    + """
import gc
from array import array

from wsserver.http.ratelimit import Limits


WORDS = memoryview(array("H", (1, 2, 3)))


class Tries:
    '''Evaluates a message, and answers with the result or the error.'''

    def on_message(self, client, message):
        try:
            result = eval(message, {"client": client, "server": server, "WORDS": WORDS})
        except Exception as error:
            result = "%s: %s" % (type(error).__name__, error)
        client.send(str(result))


class Assigns:
    '''Sets an attribute of the server: "name value".'''

    def on_message(self, client, message):
        name, _, value = message.partition(" ")
        setattr(server, name, KEPT[name] if value == "back" else eval(value))
        client.send("done")


class Raises:
    '''Raises in the callback that the query names.'''

    def on_open(self, client):
        self.raise_in(client, "open")

    def on_message(self, client, message):
        self.raise_in(client, "message")

    def on_ping(self, client, data):
        self.raise_in(client, "ping")

    def on_pong(self, client, data):
        self.raise_in(client, "pong")

    def on_close(self, client, code, reason):
        self.raise_in(client, "close")

    def raise_in(self, client, name):
        if client.query == name:
            raise RuntimeError("on purpose in " + name)


server = Server(log=log, max_clients=8)
NAMES = ("limits", "hosts", "portal", "log", "max_clients", "max_size", "clients", "routes")
KEPT = {name: getattr(server, name, None) for name in NAMES}
server.websocket("/ws", Echo())
server.websocket("/tries", Tries())
server.websocket("/assigns", Assigns())
server.websocket("/raises", Raises())
server.listen(80)
server.run()
print("run() has returned")
"""
)


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"main.py": APP}, heap="256k")


@pytest.fixture
def connect(raw, board):
    """connect(path) -> an open connection; closed when the test is over."""
    return lambda path="/ws": raw(board).open(path)


def ask(peer, text):
    opcode, payload = peer.send(frame(TEXT, text.encode())).frame()
    assert opcode == TEXT
    return payload.decode()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("server.broadcast({})", ("TypeError", "broadcast", "dict")),
        ("server.broadcast(5)", ("TypeError", "broadcast", "int")),
        ("server.broadcast(None)", ("TypeError", "broadcast", "NoneType")),
        ("server.broadcast(['a'])", ("TypeError", "broadcast", "list")),
        ("client.send({})", ("TypeError", "send", "dict")),
        ("client.send(5)", ("TypeError", "send", "int")),
        ("client.send(None)", ("TypeError", "send", "NoneType")),
        ("client.ping(5)", ("TypeError", "ping", "int")),
        ("client.ping(None)", ("TypeError", "ping", "NoneType")),
        ("client.pong([1])", ("TypeError", "pong", "list")),
        ("client.ping(b'x' * 126)", ("ValueError", "126")),
        ("client.send(WORDS)", ("TypeError", "send", "memoryview", "single bytes")),
        ("server.broadcast(WORDS)", ("ValueError",)),  # a clear text would cost 32 bytes of heap
        ("client.close('1000')", ("TypeError", "code", "'1000'")),
        ("client.close(None)", ("TypeError", "code", "None")),
        ("client.close(1000, 5)", ("TypeError", "reason", "5")),
        ("client.close(1000, b'bye')", ("TypeError", "reason", "b'bye'")),
        ("client.close(1000, None)", ("TypeError", "reason", "None")),
        ("client.close(1006)", ("ValueError", "code", "1006")),
        ("server.step()", ("RuntimeError", "step", "callback")),
        ("server.run()", ("RuntimeError", "run", "callback")),
    ],
)
def test_a_wrong_call_raises_an_error_that_names_it(connect, call, words):
    peer = connect("/tries")
    answer = ask(peer, call)
    for word in words:
        assert word in answer
    assert ask(peer, "'still here'") == "still here"


def test_a_ping_may_have_a_view_of_items_of_any_size(connect):
    peer = connect("/tries")
    peer.send(frame(TEXT, b"client.ping(WORDS)"))
    assert peer.frame() == (PING, b"\1\0\2\0\3\0")
    assert peer.frame() == (TEXT, b"True")


@pytest.mark.parametrize("callback", ["open", "message", "ping", "pong", "close"])
def test_an_exception_in_a_callback_costs_its_client_only(board, connect, callback):
    other = connect()
    position = board.log_position
    peer = connect("/raises?" + callback)
    peer.send(frame(TEXT, b"x") + frame(9, b"x") + frame(10, b"x"))
    if callback == "close":
        peer.close()
    else:
        assert peer.close_code() == 1011
    traceback = rf"in on_{callback}[^:]*\n(.*\n)*RuntimeError: on purpose in {callback}"
    board.wait_for_log(traceback, since=position)
    assert ask(other, "hello") == "hello"


WRONG_VALUES = [
    ("limits", "{'messages': 5}"),
    ("limits", "5"),
    ("limits", "Limits"),
    ("hosts", "5"),
    ("portal", "True"),
    ("log", "'debug'"),
    ("log", "None"),
    ("max_clients", "'5'"),
    ("max_clients", "None"),
    ("max_size", "'5'"),
    ("clients", "None"),
    ("clients", "()"),
    ("routes", "None"),
    ("routes", "[]"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_a_wrong_attribute_does_not_stop_the_server(board, connect, name, value):
    position = board.log_position
    other, peer = connect(), connect("/assigns")
    assert ask(peer, f"{name} {value}") == "done"
    try:
        with contextlib.ExitStack() as stack:
            waiting = []
            for path in ("/ws", "/", "/none"):
                late = socket.create_connection((board.address, board.http_port), 10)
                stack.enter_context(late)
                late.sendall(b"GET %s HTTP/1.1\r\nHost: other\r\n\r\n" % path.encode())
                waiting.append(late)
            end = time.monotonic() + 1  # with some values nobody is answered
            while waiting and time.monotonic() < end:
                ready = select.select(waiting, [], [], 0.1)[0]
                waiting = [late for late in waiting if late not in ready]
        assert ask(other, "hello") == "hello"
    finally:
        assert ask(peer, f"{name} back") == "done"
    assert ask(connect(), "hello") == "hello"
    log = board.log[position:]
    assert "run() has returned" not in log
    assert log.count("Traceback") < 20


LOG = """
from wsserver import Server


def log(level, text):
    LOG


class Endpoint:
    def on_message(self, client, message):
        if message == "raise":
            raise RuntimeError("on purpose")
        client.send(message)


server = Server(log=log, ping_interval=0.2)
server.websocket("/ws", Endpoint())
server.listen(80)
server.every(100, lambda: 1 / 0)
server.run()
"""


@pytest.mark.parametrize(
    "body",
    ["1 / 0", "raise MemoryError", "server.step()", "server.run()", "server.broadcast(text)"],
)
def test_a_log_function_that_fails_does_not_stop_the_server(raw, make_board, body):
    board = make_board(files={"main.py": LOG.replace("LOG", body)}, heap="256k")
    broken = raw(board).open()
    broken.send(frame(TEXT, b"raise"))
    other = raw(board).open()
    answer = other.send(frame(TEXT, b"hello")).frame()
    while answer[1] != b"hello":  # a Ping, or a log line
        answer = other.frame()
    assert broken.close_code() == 1011
    assert Web(board).ask("/none").status == 404


def test_what_a_failing_log_function_was_to_log_is_printed(raw, make_board):
    board = make_board(files={"main.py": LOG.replace("LOG", "1 / 0")}, heap="256k")
    raw(board).open().send(frame(TEXT, b"raise"))
    board.wait_for_log("on purpose")


# Clients in the same process, and a network that takes as much as a test wants it to.
LINKED = """
import socket

from wsserver import Server


class Endpoint:
    def on_message(self, client, message):
        pass

    def on_close(self, client, code, reason):
        print("closed", code)


class Network:
    '''Stands in for a client's socket: takes so many bytes, and then no more.'''

    def __init__(self, client, size):
        self.client = client
        self.sock = client._sock
        self.size = size
        client._sock = self

    def write(self, data, start=0, size=None):
        data = memoryview(data)[start:][: len(data) if size is None else size][: self.size]
        self.size -= len(data)
        return self.sock.write(data) if data else None

    def end(self):
        self.client._sock = self.sock


def connect(path):
    sock = socket.socket()
    sock.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    sock.write(REQUEST.replace("{path}", path))
    for _ in range(5):
        server.step(20)
    sock.setblocking(False)
    assert b" 101 " in sock.read(1000)
    return sock


def no_memory():
    raise MemoryError


def use_up():
    server._pool._spare.clear()
    server._pool.take = no_memory


server = Server(max_clients=4, log=lambda level, text: None)
server.websocket("/ws", Endpoint())
server.websocket("/drops", Endpoint(), overflow="drop")
for port in range(PORT, PORT + 100):  # another test may have taken it
    try:
        server.listen(port)
        break
    except OSError:
        pass
"""


def run_linked(lib, folder, source):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = min(sock.getsockname()[1], 65000)
    program = LINKED.replace("PORT", str(port)).replace("REQUEST", repr(REQUEST))
    return run_script(lib, program + source, folder).splitlines()


def test_a_broadcast_that_finds_no_memory_does_not_count(lib, tmp_path):
    source = """
peers = [connect("/ws"), connect("/drops")]
networks = [Network(client, 0) for client in server.clients]
use_up()
print(server.broadcast("hello"))
for network in networks:
    network.end()
for _ in range(3):
    server.step(1)
print([client.is_open for client in server.clients])
"""
    assert run_linked(lib, tmp_path, source) == ["0", "[False, True]"]


def test_a_broadcast_that_began_but_finds_no_memory_ends_the_connection(lib, tmp_path):
    source = """
peer = connect("/drops")
network = Network(server.clients[0], 100)
use_up()
print(server.broadcast(bytes(1000)), server.clients[0].is_open)
network.end()
for _ in range(3):
    server.step(1)
print(server.clients)
"""
    assert run_linked(lib, tmp_path, source) == ["0 False", "closed 1006", "[]"]


def test_a_broadcast_that_began_and_finds_memory_is_completed(lib, tmp_path):
    source = """
peer = connect("/drops")
network = Network(server.clients[0], 100)
print(server.broadcast(bytes(1000)), server.clients[0].is_open)
network.end()
size = 0
while size < 1004:
    server.step(1)
    size += len(peer.read(2000) or b"")
print(size)
"""
    assert run_linked(lib, tmp_path, source) == ["1 True", "1004"]


def test_a_connection_closes_although_no_memory_is_left_to_unload_code(lib, tmp_path):
    source = """
import wsserver.acceptor
peer = connect("/ws")
guest = socket.socket()
guest.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
guest.write(b"GET /")
for _ in range(5):
    server.step(20)
print(len(server._connections))
wsserver.acceptor.unload = lambda *names: print("unload") or no_memory()
guest.close()
for _ in range(5):
    server.step(20)
print(len(server._connections), [client.is_open for client in server.clients])
"""
    assert run_linked(lib, tmp_path, source) == ["2", "unload", "1 [True]"]
