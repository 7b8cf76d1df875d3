"""Coroutines and streams with TLS, with other sizes, and in rarely used callbacks."""

import socket

import pytest

from tools.wsclient import BINARY, PING, PONG, TEXT, frame

PROGRAM = """
import asyncio
import os
import socket
import sys
from wsserver import Server, lazy
from wsserver.lazy import LazyEndpoint


class Slow:
    async def on_message(self, client, message):
        if message == "stream":
            await client.send_stream((b"%05d" % number for number in range(20000)))
        await asyncio.sleep_ms(20)
        client.send(message if len(message) < 500 else "%d bytes" % len(message))


class Calls:
    def on_message(self, client, message):
        async def answer(text):
            await asyncio.sleep_ms(5)
            client.send(text)

        if message == "call_soon":
            for number in range(3):
                server.call_soon(answer, "called %d" % number)
        elif message == "after":
            server.after(1, lambda: answer("after"))


async def read(sock):
    await asyncio.sleep_ms(20)
    data, sender = sock.recvfrom(100)
    sock.sendto(b"read " + data, sender)


SIZES = {"small": {"max_size": 100}, "large": {"max_size": 20000}, "usual": {}}
server = Server(max_clients=5, **SIZES[SIZE])
server.websocket("/ws", Slow())
server.websocket("/calls", Calls())
server.websocket("/lazy", LazyEndpoint(server, "lazily"))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setblocking(False)
sock.bind(("0.0.0.0", 53))
server.add_reader(sock, read)
server.listen(80)
if "certs" in os.listdir("/"):
    from certificates.context import server_context

    server.listen(443, tls=server_context("/certs/server.crt.der", "/certs/server.key.der"))
server.run()
"""

LAZILY = """
import asyncio


class Endpoint:
    async def on_open(self, client):
        await asyncio.sleep_ms(5)
        client.send("lazily opened")

    async def on_message(self, client, message):
        await asyncio.sleep_ms(5)
        client.send("lazily " + message)

    async def on_close(self, client, code, reason):
        await asyncio.sleep_ms(1)
        print("lazily closed", code)


def endpoint(server):
    return Endpoint()
"""


@pytest.fixture(scope="module")
def make(make_board, certs):
    def make(size="usual"):
        files = {"main.py": f"SIZE = {size!r}\n{PROGRAM}", "lazily.py": LAZILY}
        return make_board(files=files, heap="400k", certs=certs)

    return make


@pytest.fixture(scope="module")
def details(make):
    return make()


def message(connection):
    """Return the next message, joined from its fragments."""
    data = b""
    while True:
        first, length = connection.read(2)
        if length == 126:
            length = int.from_bytes(connection.read(2), "big")
        payload = connection.read(length)
        if first & 15 < 8:
            data += payload
            if first & 0x80:
                return data


def test_coroutines_and_streams_work_over_tls(raw, details):
    assert details.serves_https(10)
    connection = raw(details, port=details.https_port, tls=True).open()
    connection.send(frame(TEXT, b"one") + frame(TEXT, b"stream") + frame(PING, b"p"))
    assert connection.frame() == (PONG, b"p")
    assert message(connection) == b"one"
    assert message(connection) == b"".join(b"%05d" % number for number in range(20000))
    assert message(connection) == b"stream"


@pytest.mark.parametrize(
    ("size", "lengths"),
    [("small", [100, 1, 99, 100]), ("large", [20000, 5000, 4100, 4129, 19999, 1])],
)
def test_messages_of_the_largest_size_are_kept(raw, make, size, lengths):
    connection = raw(make(size)).open()
    connection.send(b"".join(frame(TEXT, b"x" * length) for length in lengths))
    for length in lengths:
        expected = b"x" * length if length < 500 else b"%d bytes" % length
        assert message(connection) == expected


def test_a_message_beyond_max_size_is_refused_when_it_is_its_turn(raw, make):
    connection = raw(make("small")).open()
    connection.send(frame(TEXT, b"first") + frame(TEXT, b"y" * 101))
    assert message(connection) == b"first"
    assert connection.close_code() == 1009


def test_call_soon_and_after_take_async_functions(raw, details):
    connection = raw(details).open("/calls")
    connection.send(frame(TEXT, b"call_soon"))
    assert [message(connection) for _ in range(3)] == [b"called 0", b"called 1", b"called 2"]
    assert message(connection.send(frame(TEXT, b"after"))) == b"after"


def test_an_async_reader_is_called_again_when_it_has_ended(details):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((details.address, details.dns_port))
        sock.settimeout(10)
        for number in range(3):
            sock.send(b"%d" % number)
            assert sock.recv(100) == b"read %d" % number


def test_a_lazy_endpoint_may_have_async_methods(raw, details):
    position = details.log_position
    connection = raw(details).open("/lazy")
    connection.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
    assert [message(connection) for _ in range(3)] == [b"lazily opened", b"lazily a", b"lazily b"]
    connection.send(frame(8, b"\x03\xe8"))
    details.wait_for_log("lazily closed 1000", since=position)


PLAIN = """
import sys
from wsserver import Server


def endpoint(prefix):
    class Closure:
        def on_message(self, client, message):
            client.send(prefix + message)

        def on_close(self, client, code, reason):
            loaded = [name for name in sys.modules if "asyncio" in name or "corout" in name]
            print("loaded:", loaded, [name for name in sys.modules if "worker" in name])

    return Closure()


server = Server()
server.websocket("/ws", endpoint("got "))
server.every(10, lambda: None)
server.listen(80)
server.run()
"""


def test_a_program_without_coroutines_loads_nothing_for_them(raw, make_board):
    board = make_board(files={"main.py": PLAIN})
    connection = raw(board).open()
    assert connection.send(frame(TEXT, b"1")).frame() == (TEXT, b"got 1")
    connection.close()
    board.wait_for_log(r"loaded: \[\] \[\]")


def test_a_coroutine_may_return_binary_messages(raw, details):
    connection = raw(details).open()
    data = bytes(range(200))
    assert connection.send(frame(BINARY, data)).frame() == (BINARY, data)
