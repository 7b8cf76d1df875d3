"""The server inside asyncio, and tasks of asyncio inside run()."""

import pytest

from tools.wsclient import TEXT, frame


def answer(connection, text):
    return connection.send(frame(TEXT, text)).frame()[1]


START = """
import asyncio

class Control:
    def on_message(self, client, message):
        if message == "task":
            coroutines.start(server, double(21), lambda *end: client.send("%r %r" % end))
        elif message == "broken":
            coroutines.start(server, double("x", -1), lambda *end: client.send("%r %r" % end))
        elif message == "logged":
            coroutines.start(server, double("x", -1))
        elif message == "cancelled":
            task = coroutines.start(server, double(1), lambda *end: client.send("%r %r" % end))
            task.cancel()
        elif message == "stop":
            server.stop()
        else:
            client.send("echo")

async def double(value, factor=2):
    await asyncio.sleep_ms(20)
    if factor < 0:
        raise ValueError("broken on purpose")
    return value * factor

import wsserver.lazy
from wsserver import Server

coroutines = wsserver.lazy.load("wsserver.coroutines")
server = Server()

def prepare():
    server.websocket("/ws", Control())
    server.listen(80)
"""

WAYS = {
    "run": "prepare()\nserver.run()\nprint('ended', server.clients)\n",
    "serve": """
async def main():
    prepare()
    await server.serve()
    print("ended", server.clients)

asyncio.run(main())
""",
    "step": """
prepare()
while True:
    server.step(20)
    if not server.clients and False:
        break
""",
    "serve in a new event loop": """
async def nothing():
    await asyncio.sleep_ms(1)

async def main():
    prepare()
    await server.serve()
    print("ended", server.clients)

asyncio.run(nothing())
asyncio.new_event_loop()
asyncio.run(main())
""",
}


@pytest.fixture(scope="module", params=WAYS)
def started(request, make_board):
    return make_board(files={"main.py": START + WAYS[request.param]}, heap="256k")


def test_a_task_runs_beside_the_server_and_reports_its_result(raw, started):
    connection = raw(started).open()
    connection.send(frame(TEXT, b"task"))
    assert answer(connection, b"hello") == b"echo"
    assert connection.frame()[1] == b"42 None"


def test_the_exception_of_a_task_is_passed_on_or_logged(raw, started):
    connection = raw(started).open()
    assert answer(connection, b"broken") == b"None ValueError('broken on purpose',)"
    position = started.log_position
    connection.send(frame(TEXT, b"logged"))
    started.wait_for_log("ValueError: broken on purpose", since=position)


def test_a_task_may_be_cancelled_before_it_has_begun(raw, started):
    connection = raw(started).open()
    assert answer(connection, b"cancelled") == b"None CancelledError()"


SERVE = """
import asyncio
from wsserver import Server

class Control:
    def on_message(self, client, message):
        if message == "wake":
            event.set()
        client.send(message)

event = asyncio.Event()
server = Server()
server.websocket("/ws", Control())

async def serve_once():
    server.listen(80)
    print("listening")
    task = asyncio.create_task(server.serve())
    await event.wait()
    event.clear()
    try:
        server.step()
    except RuntimeError as error:
        print("refused:", error)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled with %d clients" % len(server.clients))

async def main():
    await serve_once()
    await serve_once()

asyncio.run(main())
asyncio.new_event_loop()
server.listen(80)
print("listening")
server.run()
"""


def test_serve_can_be_cancelled_and_called_again_in_a_new_loop(raw, make_board):
    board = make_board(files={"main.py": SERVE}, heap="256k")
    position = 0
    for _ in range(2):
        board.wait_for_log("listening", since=position)
        position = board.log_position
        connection = raw(board).open()
        assert answer(connection, b"wake") == b"wake"
        board.wait_for_log("refused: step.. was called while asyncio serves", since=position)
        board.wait_for_log("cancelled with 0 clients", since=position)
    board.wait_for_log("listening", since=position)
    assert answer(raw(board).open(), b"hello") == b"hello"
