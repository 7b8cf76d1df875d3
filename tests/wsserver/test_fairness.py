"""What is due comes before the other clients of a turn, and no client is forgotten for it."""

import re

import pytest

from tools.wsclient import TEXT, frame

APP = """
import asyncio
import time
from wsserver import Server


class Slow:
    def on_message(self, client, message):
        if message == "order":
            client.send("".join(order))
            return
        order.append(message)
        print(message)
        time.sleep_ms(200 if message == "hold" else 5)
        client.send(message)


def tick():
    order.append(".")


async def task():
    while True:
        await asyncio.sleep_ms(1)
        tick()


async def main():
    asyncio.create_task(task())
    await server.serve()


order = []
server = Server(max_clients=6)
server.websocket("/ws", Slow())
server.listen(80)
"""
TIMER = "server.every(1, tick)\nserver.run()\n"
TASK = "asyncio.run(main())\n"


@pytest.mark.parametrize("end", [TIMER, TASK], ids=["timer", "task"])
def test_what_is_due_runs_between_two_clients_of_a_turn(raw, make_board, end):
    board = make_board(files={"main.py": APP + end})
    first, *others = (raw(board).open() for _ in range(5))
    first.send(frame(TEXT, b"hold"))
    board.wait_for_log("hold")
    for name, connection in zip(b"abcd", others, strict=True):  # they arrive while it holds
        connection.send(frame(TEXT, bytes([name])))
    for connection in (first, *others):
        connection.message()
    order = first.send(frame(TEXT, b"order")).message().decode()
    handled = order[order.index("hold") + 4 :].strip(".")
    assert sorted(handled.replace(".", "")) == ["a", "b", "c", "d"]
    between = re.split("[abcd]", handled)[1:-1]
    assert all(between), order
