"""Async callbacks: their order, backpressure, errors, and what cancels them."""

import pytest

from tests.waiting import wait_until
from tools.wsclient import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RefusedError,
    close,
    frame,
)

PROGRAM = """
import asyncio
import gc
from wsserver import Server

gates = {}


def gate(name):
    if name not in gates:
        gates[name] = asyncio.Event()
    return gates[name]


class Control:
    def on_message(self, client, message):
        order, _, name = message.partition(" ")
        if order == "open":
            gate(name).set()
        elif order == "stop":
            server.stop()
        client.send("done")


class Gated:
    async def on_message(self, client, message):
        order, _, name = message.partition(" ")
        print("begins", message)
        try:
            if order == "wait":
                await gate(name).wait()
            elif order == "raise":
                await asyncio.sleep_ms(1)
                raise ValueError("on purpose in a coroutine")
            elif order == "raise_at_once":
                raise ValueError("on purpose at once")
            elif order == "drain":
                for _ in range(50):
                    client.send(bytes(4000))
                    await client.drain()
            elif order == "close":
                client.close(4000)
                await gate("never").wait()
        except asyncio.CancelledError:
            print("cancelled", message)
            raise
        client.send("re: " + message)

    async def on_close(self, client, code, reason):
        await asyncio.sleep_ms(1)
        print("closed", client.path, code, reason)


class Greeting:
    async def on_open(self, client):
        await asyncio.sleep_ms(20)
        client.send("welcome")

    def on_message(self, client, message):
        client.send(message)


class Chunks:
    async def on_chunk(self, client, chunk, final):
        await asyncio.sleep_ms(0)
        client.context = (client.context or b"") + chunk
        if final:
            client.send(client.context)
            client.context = None


class Pings:
    async def on_ping(self, client, data):
        await asyncio.sleep_ms(10)
        client.pong(b"async " + data)

    def on_message(self, client, message):
        client.send(message)


def closures(prefix):
    class Closure:
        async def on_message(self, client, message):
            client.send(prefix + message)

    class Plain:
        def on_message(self, client, message):
            client.send(prefix + message)

    return Closure(), Plain()


async def tick():
    global ticks
    ticks += 1
    if ticks == 3:
        raise ValueError("on purpose in a timer")
    await asyncio.sleep_ms(5)
    print("tick", ticks)


ticks = 0
server = Server(max_clients=8, async_timeout=3, ping_interval=0.2, ping_timeout=1)
server.websocket("/control", Control())
server.websocket("/gated", Gated())
server.websocket("/greeting", Greeting())
server.websocket("/chunks", Chunks())
server.websocket("/pings", Pings())
closure, plain = closures("got ")
server.websocket("/closure", closure)
server.websocket("/plain", plain)
server.listen(80)
"""

WAYS = {
    "run": "server.every(1, tick)\nserver.run()\nprint('ended', server._tasks)\n",
    "serve": "server.every(1, tick)\nasyncio.run(server.serve())\nprint('ended', server._tasks)\n",
}


@pytest.fixture(scope="module", params=WAYS)
def lab(request, make_board):
    return make_board(files={"main.py": PROGRAM + WAYS[request.param]}, heap="400k")


def order(raw, lab, text):
    connection = raw(lab).open("/control")
    assert connection.send(frame(TEXT, text)).message() == b"done"
    connection.close()


def next_frame(connection):
    """Return the next frame that is no keepalive Ping: a busy machine brings silence about."""
    found = connection.frame()
    while found == (PING, b""):
        connection.send(frame(PONG))
        found = connection.frame()
    return found


def test_messages_are_handled_in_order_and_one_at_a_time(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait a") + frame(TEXT, b"wait b") + frame(TEXT, b"other"))
    lab.wait_for_log("begins wait a", since=position)
    order(raw, lab, b"open b")
    order(raw, lab, b"open a")
    assert [connection.message() for _ in range(3)] == [b"re: wait a", b"re: wait b", b"re: other"]
    lab.wait_for_log("(?s)begins wait a.*begins wait b.*begins other", since=position)


def test_a_ping_is_answered_while_a_coroutine_runs(raw, lab):
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait c") + frame(TEXT, b"next") + frame(PING, b"1"))
    assert next_frame(connection) == (PONG, b"1")
    connection.send(frame(PING, b"2"))
    assert next_frame(connection) == (PONG, b"2")
    order(raw, lab, b"open c")
    assert [connection.message() for _ in range(2)] == [b"re: wait c", b"re: next"]


def test_pings_within_a_kept_fragmented_message_are_answered(raw, lab):
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait d"))
    for part in (b"some ", b"text ", b"in "):
        connection.send(frame(TEXT if part == b"some " else 0, part, final=False))
        connection.send(frame(PING, part))
        assert next_frame(connection) == (PONG, part)
    connection.send(frame(0, b"parts"))
    order(raw, lab, b"open d")
    assert [connection.message() for _ in range(2)] == [b"re: wait d", b"re: some text in parts"]


@pytest.mark.parametrize("size", [1, 126, 4000, 4080, 4096])
def test_a_message_of_any_length_is_kept_in_parts(raw, lab, size):
    connection = raw(lab).open("/gated")
    name = b"e%d" % size
    connection.send(frame(TEXT, b"wait " + name))
    data = frame(TEXT, b"x" * size)
    for start, end in ((0, 3), (3, 700), (700, 5000)):
        connection.send(data[start:end])
        if size < 4090:  # beyond, there is no space for a Ping
            connection.send(frame(PING, b"") if data[end:] == b"" else b"")
    order(raw, lab, b"open " + name)
    assert connection.message() == b"re: " + b"wait " + name
    assert connection.send(frame(TEXT, b"z")).message() == (b"re: " + b"x" * size)
    assert connection.message() == b"re: z"


def test_a_slow_coroutine_causes_backpressure_and_loses_nothing(raw, lab):
    position = lab.log_position
    connection = raw(lab, receive_buffer=4096).open("/gated")
    connection.send(frame(TEXT, b"wait f"))
    lab.wait_for_log("begins wait f", since=position)
    connection.sock.settimeout(0.3)
    sent = 0
    one = frame(TEXT, b"y" * 1000)
    with pytest.raises(TimeoutError):
        while sent < 50_000_000:
            sent += connection.sock.send(one[sent % len(one) :])
    connection.sock.settimeout(10)
    order(raw, lab, b"open f")
    assert connection.message() == b"re: wait f"
    connection.send(one[sent % len(one) :])
    for _ in range(min(sent // len(one), 100)):
        assert connection.message() == b"re: " + b"y" * 1000


def test_a_coroutine_is_cancelled_when_its_client_leaves(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait never"))
    lab.wait_for_log("begins wait never", since=position)
    connection.send(close(1000)).rest()
    lab.wait_for_log("cancelled wait never", since=position)
    lab.wait_for_log("closed /gated 1000", since=position)


def test_a_client_that_is_not_read_is_noticed_by_its_reset(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait never") + frame(TEXT, b"1") + frame(TEXT, b"2"))
    lab.wait_for_log("begins wait never", since=position)
    connection.reset() if hasattr(connection, "reset") else connection.close()
    lab.wait_for_log("cancelled wait never", since=position)


def test_a_client_that_is_not_read_is_closed_after_async_timeout(raw, lab):
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"wait never") + frame(TEXT, b"1") + frame(TEXT, b"2"))
    opcodes = []
    opcode = payload = None
    while opcode != CLOSE:
        opcode, payload = connection.frame()
        opcodes.append(opcode)
    assert payload == b"\x03\xf3coroutine takes too long (async_timeout)"
    assert opcodes.count(PING) > 1  # the pong timeout of 1 s was suspended


@pytest.mark.parametrize("text", ["raise", "raise_at_once"])
def test_an_exception_in_a_coroutine_closes_its_client_with_1011(raw, lab, text):
    position = lab.log_position
    connection = raw(lab).open("/gated")
    other = raw(lab).open("/control")
    connection.send(frame(TEXT, text.encode()))
    assert next_frame(connection) == (CLOSE, b"\x03\xf3internal error")
    lab.wait_for_log("in on_message[^:]*\\s+ValueError: on purpose", since=position)
    assert other.send(frame(TEXT, b"hello")).message() == b"done"


def test_a_coroutine_may_close_its_client(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/gated")
    connection.send(frame(TEXT, b"close"))
    assert next_frame(connection) == (CLOSE, b"\x0f\xa0")
    connection.send(close(4000)).rest()
    lab.wait_for_log("cancelled close", since=position)
    lab.wait_for_log("closed /gated 4000", since=position)


def test_drain_waits_until_the_peer_has_taken_the_data(raw, lab):
    connection = raw(lab, receive_buffer=4096).open("/gated")
    connection.send(frame(TEXT, b"drain"))
    assert [next_frame(connection) for _ in range(50)] == [(BINARY, bytes(4000))] * 50
    assert connection.message() == b"re: drain"


def test_messages_wait_for_an_async_on_open(raw, lab):
    connection = raw(lab).open("/greeting", then=frame(TEXT, b"hello"))
    assert [connection.message() for _ in range(2)] == [b"welcome", b"hello"]


def test_chunks_are_handled_by_a_coroutine(raw, lab):
    connection = raw(lab).open("/chunks")
    data = bytes(range(250)) * 12
    connection.send(frame(BINARY, data[:1000], final=False) + frame(0, data[1000:]))
    connection.send(frame(BINARY, b"short"))
    assert [connection.message() for _ in range(2)] == [data, b"short"]


def test_a_ping_may_be_answered_by_a_coroutine(raw, lab):
    connection = raw(lab).open("/pings")
    connection.send(frame(PING, b"1") + frame(TEXT, b"hello"))
    assert next_frame(connection) == (TEXT, b"hello")
    assert next_frame(connection) == (PONG, b"async 1")


@pytest.mark.parametrize("path", ["/closure", "/plain"])
def test_a_callback_within_a_function_may_be_async_or_not(raw, lab, path):
    connection = raw(lab).open(path)
    connection.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    assert [connection.message() for _ in range(2)] == [b"got 1", b"got 2"]


def test_coroutines_that_never_wait_need_no_task(raw, make_board):
    end = "server.run()\n"
    board = make_board(files={"main.py": PROGRAM + end}, heap="400k")
    connection = raw(board).open("/closure")
    connection.send(frame(TEXT, b"x") * 100)
    assert [connection.message() for _ in range(100)] == [b"got x"] * 100


def test_an_async_timer_survives_errors_and_does_not_overlap(lab):
    lab.wait_for_log("ValueError: on purpose in a timer")
    ticks = lab.wait_for_log(r"(tick \d+\s+){3}").group().split()[1::2]
    assert [int(tick) - int(ticks[0]) for tick in ticks] == [0, 1, 2]


@pytest.mark.parametrize("way", WAYS)
def test_stop_cancels_the_coroutines(raw, make_board, way):
    board = make_board(files={"main.py": PROGRAM + WAYS[way]}, heap="400k")
    connection = raw(board).open("/gated")
    connection.send(frame(TEXT, b"wait never"))
    board.wait_for_log("begins wait never")
    order_ = raw(board).open("/control")
    order_.send(frame(TEXT, b"stop"))
    with pytest.raises(RefusedError):
        order_.message()
        order_.message()
    board.wait_for_log("cancelled wait never")
    board.wait_for_log("closed /gated 1006 the server stops")
    board.wait_for_log("ended \\[\\]")
    wait_until(lambda: not connection.sock.recv(100), "the end of the connection")
