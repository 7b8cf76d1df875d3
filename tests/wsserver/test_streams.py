"""client.send_stream: messages of any length, in fragments."""

import struct

import pytest

from tools.wsclient import BINARY, CLOSE, PING, PONG, TEXT, frame

PROGRAM = """
import asyncio
import gc
from wsserver import Server


class Source:
    \"\"\"Makes `size` bytes, and tells at the end how much the heap has grown meanwhile.\"\"\"

    def __init__(self, size):
        self.size = size
        self.count = 0
        gc.collect()
        self.heap = gc.mem_alloc()

    def readinto(self, buffer):
        count = min(len(buffer), self.size - self.count)
        start = self.count
        for at in range(0, count, 61):
            buffer[at] = (start + at) & 0xFF
        self.count += count
        if self.count > 40000 and start <= 40000:
            gc.collect()
            print("heap grew by", gc.mem_alloc() - self.heap)
        return count

    def close(self):
        print("source closed at", self.count)


class Slow:
    \"\"\"A source that has nothing to read now and then, as a UART.\"\"\"

    parts = [b"one ", None, None, b"two", None, b""]

    def __init__(self):
        self.left = list(self.parts)

    def readinto(self, buffer):
        part = self.left.pop(0)
        if part is None:
            return None
        buffer[: len(part)] = part
        return len(part)


class Pieces:
    def __init__(self, count, broken=False):
        self.count = count
        self.broken = broken

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep_ms(1)
        if not self.count:
            if self.broken:
                raise ValueError("async source broke")
            raise StopAsyncIteration
        self.count -= 1
        return "piece %d " % self.count


def lines(count, broken=False):
    for number in range(count):
        yield "line %d \\u20ac " % number
    if broken:
        raise ValueError("source broke")


def send(client, message):
    name, _, argument = message.partition(" ")
    number = int(argument or 0)
    if name == "file":
        client.send("before")
        client.send_stream(Source(number))
        client.send("after 1")
        server.broadcast("after 2")
        client.send("after 3 " + "x" * 300)
    elif name == "read":
        client.send_stream(open("/data.bin", "rb"))
    elif name == "lines":
        client.send_stream(lines(number), text=True)
    elif name == "broken":
        client.send_stream(lines(number, True), text=True)
    elif name == "pieces":
        client.send_stream(Pieces(number), text=True)
    elif name == "broken_pieces":
        client.send_stream(Pieces(number, True), text=True)
    elif name == "slow":
        client.send_stream(Slow())
    elif name == "bytes":
        client.send_stream(bytes(number))
    elif name == "no_text":
        client.send_stream([b"\\xe2\\x82", b"("], text=True)
    elif name == "cut_text":
        client.send_stream([b"\\xe2\\x82"], text=True)
    elif name == "twice":
        client.send_stream(Source(20000))
        try:
            client.send_stream(b"other")
        except RuntimeError as error:
            client.send(str(error))
    elif name == "full":
        client.send_stream(Source(100000000))
        while client.send(bytes(1000)) and client.is_open:
            pass
    elif name == "close":
        client.send_stream(Source(100000000))
        client.close(4000)
    elif name == "kept":
        keep = client.send
        client.send_stream(Source(20000))
        client.send("%r" % keep("never in between"))


class Streams:
    def on_message(self, client, message):
        try:
            send(client, message)
        except TypeError as error:
            client.send("%r" % error)


class Dropping(Streams):
    def on_message(self, client, message):
        client.send_stream(Source(1000000))
        count = 0
        while client.send(b"%05d" % count + bytes(995)):
            count += 1
        client.context = count

    def on_drain(self, client):
        if client.context is not None:
            client.send("%d waited" % client.context)
            client.context = None


class Awaiting:
    async def on_message(self, client, message):
        sent = await client.send_stream(Source(100000))
        client.send("sent %s" % sent)
        sent = await client.send_stream(Pieces(3), text=True)
        client.send("sent %s" % sent)
        client.send_stream(Source(100000))
        client.send("drained %s" % await client.drain())


server = Server(max_clients=8)
server.websocket("/ws", Streams())
server.websocket("/drop", Dropping(), overflow="drop")
server.websocket("/await", Awaiting())
server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def streams(make_board):
    files = {"main.py": PROGRAM, "data.bin": bytes(range(256)) * 100}
    return make_board(files=files, heap="320k")


def fragments(connection):
    """Return the frames of the next message: [(first byte, payload)], control frames included."""
    found = []
    while not found or not (found[-1][0] & 0x80 and found[-1][0] & 15 < 8):
        head = connection.read(2)
        assert head[1] < 128
        if head[1] == 126:
            (length,) = struct.unpack(">H", connection.read(2))
            assert length > 125
        else:
            length = head[1]
        found.append((head[0], connection.read(length)))
    return found


def joined(connection):
    """Return (opcode, payload) of the next message, whose fragments follow the rules."""
    found = [frame for frame in fragments(connection) if frame[0] & 15 < 8]
    assert found[0][0] & 15 in (TEXT, BINARY)
    assert all(first & 15 == 0 for first, _ in found[1:])
    assert all(first & 0x80 == 0 for first, _ in found[:-1])
    return found[0][0] & 15, b"".join(payload for _, payload in found)


def ask(raw, board, text, path="/ws"):
    connection = raw(board).open(path)
    connection.send(frame(TEXT, text.encode()))
    return connection


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4252, 4253, 100_000])
def test_a_file_of_any_length_is_one_message(raw, streams, size):
    connection = ask(raw, streams, f"bytes {size}")
    assert joined(connection) == (BINARY, bytes(size))


def test_a_file_is_sent_byte_by_byte_and_closed(raw, streams):
    connection = ask(raw, streams, "read")
    assert joined(connection) == (BINARY, bytes(range(256)) * 100)


@pytest.mark.parametrize("count", [0, 1, 3, 2000])
def test_an_iterator_of_texts_becomes_one_text(raw, streams, count):
    connection = ask(raw, streams, f"lines {count}")
    expected = "".join(f"line {number} \u20ac " for number in range(count))
    assert joined(connection) == (TEXT, expected.encode())


def test_an_async_iterator_becomes_one_text(raw, streams):
    connection = ask(raw, streams, "pieces 4")
    assert joined(connection) == (TEXT, b"piece 3 piece 2 piece 1 piece 0 ")


def test_a_source_that_would_block_is_read_again(raw, streams):
    assert joined(ask(raw, streams, "slow")) == (BINARY, b"one two")


def test_other_messages_wait_for_the_end_of_the_stream(raw, streams):
    connection = ask(raw, streams, "file 20000")
    assert connection.message() == b"before"
    opcode, payload = joined(connection)
    assert (opcode, len(payload)) == (BINARY, 20000)
    assert connection.message() == b"after 1"
    assert connection.message() == b"after 2"
    assert connection.message() == b"after 3 " + b"x" * 300


def test_pings_are_answered_between_the_fragments(raw, streams):
    connection = raw(streams, receive_buffer=4096).open()
    connection.send(frame(TEXT, b"file 3000000"))
    assert connection.message() == b"before"
    connection.send(frame(PING, b"1"))
    found = fragments(connection)
    assert (0x80 | PONG, b"1") in found[:-1]
    assert sum(len(payload) for first, payload in found if first & 15 < 8) == 3_000_000


def test_a_stream_needs_one_buffer_whatever_its_length(raw, streams):
    position = streams.log_position
    connection = ask(raw, streams, "file 5000000")
    connection.message()
    data = bytearray(joined(connection)[1])
    grown = int(streams.wait_for_log(r"heap grew by (-?\d+)", since=position)[1])
    assert grown <= 10_000  # a buffer of 4.5 KB for the fragments, and one for what waits
    assert len(data) == 5_000_000
    streams.wait_for_log("source closed at 5000000", since=position)


@pytest.mark.parametrize("order", ["broken 100", "broken_pieces 5", "no_text", "cut_text"])
def test_a_source_that_raises_ends_the_connection_with_1011(raw, streams, order):
    position = streams.log_position
    connection = ask(raw, streams, order)
    opcode = None
    while opcode != CLOSE:
        first, length = connection.read(2)
        assert first & 0x80 == 0 or first & 15 == CLOSE  # no message ends
        opcode = first & 15
        if length == 126:
            length = int.from_bytes(connection.read(2), "big")
        payload = connection.read(length)
    assert payload == b"\x03\xf3internal error"
    streams.wait_for_log("ValueError: ", since=position)


def test_a_second_stream_raises_runtime_error(raw, streams):
    connection = ask(raw, streams, "twice")
    assert len(joined(connection)[1]) == 20000
    assert connection.message() == b"send_stream() was called while another stream runs"


def test_a_full_send_buffer_during_a_stream_closes_the_client(raw, streams):
    position = streams.log_position
    connection = ask(raw, streams, "full")
    data = connection.rest()
    assert data.endswith(b"\x88\x12\x03\xf5send buffer full")
    streams.wait_for_log("source closed at", since=position)


def test_messages_beyond_the_send_buffer_are_dropped_with_drop(raw, streams):
    connection = ask(raw, streams, "go", "/drop")
    assert len(joined(connection)[1]) == 1_000_000
    waited = [connection.frame()[1][:5] for _ in range(4)]
    assert waited == [b"%05d" % number for number in range(4)]
    assert connection.message() == b"4 waited"


def test_close_ends_a_stream_behind_a_whole_fragment(raw, streams):
    position = streams.log_position
    connection = ask(raw, streams, "close")
    first, payload = connection.read(1)[0], None
    while first & 15 != CLOSE:
        size = connection.read(1)[0]
        payload = connection.read(
            int.from_bytes(connection.read(2), "big") if size > 125 else size
        )
        first = connection.read(1)[0]
    assert payload
    assert connection.read(3) == b"\x02\x0f\xa0"
    streams.wait_for_log("source closed at", since=position)


def test_a_client_that_leaves_ends_its_stream(raw, streams):
    position = streams.log_position
    connection = ask(raw, streams, "file 100000000")
    connection.message()
    connection.reset()
    streams.wait_for_log("source closed at", since=position)


def test_a_stored_send_cannot_write_into_a_stream(raw, streams):
    connection = ask(raw, streams, "kept")
    assert len(joined(connection)[1]) == 20000
    assert connection.message() == b"False"


def test_a_stream_and_drain_can_be_awaited(raw, streams):
    connection = ask(raw, streams, "go", "/await")
    assert len(joined(connection)[1]) == 100_000
    assert connection.message() == b"sent True"
    assert joined(connection) == (TEXT, b"piece 2 piece 1 piece 0 ")
    assert connection.message() == b"sent True"
    assert len(joined(connection)[1]) == 100_000
    assert connection.message() == b"drained True"
