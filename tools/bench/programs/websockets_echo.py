"""The `websockets` library on CPython, without compression; its port is the argument."""

import asyncio
import sys

from websockets.asyncio.server import broadcast, serve

TEXT = "b" * 100
everyone = set()


async def handler(connection):
    if connection.request.path == "/all":
        everyone.add(connection)
        try:
            async for _ in connection:
                broadcast(everyone, TEXT)
        finally:
            everyone.discard(connection)
    else:
        async for message in connection:
            await connection.send(message)


async def main():
    port = int(sys.argv[1])
    async with serve(handler, "127.0.0.1", port, compression=None, ping_interval=None):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
