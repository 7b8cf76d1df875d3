"""The server beside other programs of asyncio, in one loop."""

import os
import socket
import socketserver
import threading
import time

import pytest

from tools.bench.contenders import package
from tools.wsclient import TEXT, RawClient, frame

TICKS = """
import asyncio
import time
from wsserver import Server

TICK = 10


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Late:
    def on_message(self, client, message):
        late.clear()


async def tick():
    due = time.ticks_us()
    while True:
        due = time.ticks_add(due, TICK * 1000)
        await asyncio.sleep_ms(max(0, time.ticks_diff(due, time.ticks_us()) // 1000))
        late.append(time.ticks_diff(time.ticks_us(), due))
        if len(late) == 100:
            late.sort()
            print("late by %d and at p99 by %d us" % (late[50], late[98]))
            late.clear()
            due = time.ticks_us()


async def main():
    server = Server(max_clients=6)
    server.websocket("/ws", Echo())
    server.listen(80)
    asyncio.create_task(tick())
    await server.serve()


late = []
asyncio.run(main())
"""


def flood(board, ended):
    """Send messages, and read the echoes, as fast as the board answers."""
    with RawClient(board.http_port, board.address) as client:
        client.open()
        block = frame(TEXT, b"x" * 32) * 100
        while not ended.is_set():
            client.send(block)
            client.read(34 * 100)


def test_a_task_wakes_up_in_time_while_five_clients_flood(make_board):
    board = make_board(files={"main.py": TICKS})
    results = []
    for _ in range(3):
        ended = threading.Event()
        threads = [threading.Thread(target=flood, args=(board, ended)) for _ in range(5)]
        for thread in threads:
            thread.start()
        try:
            position = board.log_position
            board.wait_for_log("late by", since=position)  # not all of it during the flood
            position = board.log_position
            found = board.wait_for_log(r"late by (-?\d+) and at p99 by (-?\d+) us", since=position)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        results.append((int(found[1]) / 1000, int(found[2]) / 1000))
        if results[-1][1] < 2:
            return
    # Where others need the processor, too, it is interrupted for as many times longer.
    share = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert share > 1 and min(middle for middle, _ in results) < 2 * share, results


MICRODOT = """
import asyncio
from microdot import Microdot
from wsserver import Server


class Echo:
    async def on_message(self, client, message):
        await asyncio.sleep_ms(1)
        client.send(message)


app = Microdot()


@app.get("/hello/<name>")
async def hello(request, name):
    await asyncio.sleep_ms(1)
    return "hello " + name


async def main():
    server = Server()
    server.websocket("/ws", Echo())
    server.listen(80)
    asyncio.create_task(app.start_server(port=53))
    await server.serve()


asyncio.run(main())
"""


def test_microdot_serves_beside_it_in_one_loop(raw, make_board):
    files = package(
        "microdot", "microdot/__init__.py", "microdot/microdot.py", "microdot/helpers.py"
    )
    program = MICRODOT.replace("port=53", "port=443")
    board = make_board(files={"main.py": program, **files}, heap="400k", wait=False)
    board.wait_ready()
    connection = raw(board).open()
    for number in range(20):
        name = b"n%d" % number
        connection.send(frame(TEXT, name))
        with socket.create_connection((board.address, board.https_port), 10) as http:
            http.sendall(b"GET /hello/%s HTTP/1.0\r\nHost: localhost\r\n\r\n" % name)
            data = b""
            while part := http.recv(4096):
                data += part
        assert data.startswith(b"HTTP/1.0 200")
        assert data.endswith(b"hello " + name)
        assert connection.message() == name


STREAMS = """
import asyncio
from wsserver import Server


class Ask:
    async def on_message(self, client, message):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(message.encode() + b"\\n")
        await writer.drain()
        client.send(await reader.readline())
        writer.close()
        await writer.wait_closed()


server = Server(max_clients=3)
server.websocket("/ws", Ask())
server.listen(80)
"""


class Upper(socketserver.StreamRequestHandler):
    """Answers one line in capitals, after a while."""

    def handle(self):
        line = self.rfile.readline()
        time.sleep(0.005)
        self.wfile.write(line.upper())


@pytest.mark.parametrize("end", ["server.run()", "asyncio.run(server.serve())"])
def test_streams_of_asyncio_are_used_by_coroutines(raw, make_board, end):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Upper) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        try:
            program = f"PORT = {other.server_address[1]}\n{STREAMS}\n{end}\n"
            board = make_board(files={"main.py": program}, heap="256k")
            connections = [raw(board).open() for _ in range(3)]
            for number in range(5):
                for connection in connections:
                    connection.send(frame(TEXT, b"line %d" % number))
                for connection in connections:
                    assert connection.message() == b"LINE %d\n" % number
        finally:
            other.shutdown()
            thread.join()


SEVERAL = """
import asyncio
from wsserver import Server


class Named:
    def __init__(self, name):
        self.name = name

    async def on_message(self, client, message):
        await asyncio.sleep_ms(1)
        if message == "stop":
            self.server.stop()
        client.send("%s: %s" % (self.name, message))


async def serve(name, port):
    endpoint = Named(name)
    endpoint.server = server = Server(max_clients=2)
    server.websocket("/ws", endpoint)
    server.listen(port)
    await server.serve()
    print("stopped", name)


async def main():
    await asyncio.gather(serve("a", 80), serve("b", 443))
    print("all stopped")


asyncio.run(main())
"""


def test_several_servers_are_served_by_one_loop(raw, make_board):
    board = make_board(files={"main.py": SEVERAL}, heap="256k")
    first = raw(board).open()
    second = raw(board, port=board.https_port).open()
    for text in (b"1", b"2"):
        assert first.send(frame(TEXT, text)).message() == b"a: " + text
        assert second.send(frame(TEXT, text)).message() == b"b: " + text
    first.send(frame(TEXT, b"stop"))
    board.wait_for_log("stopped a")
    assert second.send(frame(TEXT, b"3")).message() == b"b: 3"
    second.send(frame(TEXT, b"stop"))
    board.wait_for_log("all stopped")
