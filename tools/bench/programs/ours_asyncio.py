"""This server inside asyncio, beside a task that wakes up 100 times a second.

/late tells how late that task was.

ASYNC: whether the echo is a coroutine.
"""

import asyncio
import time

from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


class AsyncEcho:
    async def on_message(self, client, message):
        client.send(message)


class Late:
    """Answers by how many seconds tick() was late since the last message: median and p99."""

    def on_message(self, client, message):
        late.sort()
        count = len(late)
        middle, most = (late[count // 2], late[count * 99 // 100]) if count else (0, 0)
        client.send("%f %f" % (middle / 1e6, most / 1e6))
        late.clear()


late = []


async def tick():
    # asyncio counts whole milliseconds. It must not wake up before `due`: a task that is too early
    # would seem to be in time.
    due = time.ticks_us() // 1000 * 1000
    while True:
        due = time.ticks_add(due, 10000)
        left = time.ticks_diff(due, time.ticks_us())
        await asyncio.sleep_ms(max(0, (left + 999) // 1000))
        if len(late) < 5000:
            late.append(time.ticks_diff(time.ticks_us(), due))


async def main():
    server = Server(max_clients=MOST, max_size=MAX_SIZE, ping_interval=None)
    server.websocket("/ws", AsyncEcho() if ASYNC else Echo())
    server.websocket("/late", Late())
    server.listen(PORT)
    asyncio.create_task(tick())
    await server.serve()


asyncio.run(main())
