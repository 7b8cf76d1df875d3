"""This server inside asyncio, beside a task that wakes up 100 times a second.

ASYNC: whether the echo is a coroutine.
"""

import asyncio

from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


class AsyncEcho:
    async def on_message(self, client, message):
        client.send(message)


async def tick():
    while True:
        await asyncio.sleep_ms(10)


async def main():
    server = Server(max_clients=MOST, max_size=MAX_SIZE, ping_interval=None)
    server.websocket("/ws", AsyncEcho() if ASYNC else Echo())
    server.listen(PORT)
    asyncio.create_task(tick())
    await server.serve()


asyncio.run(main())
