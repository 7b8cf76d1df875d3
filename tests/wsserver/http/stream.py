"""Routes with async handlers, and streams. Runs on MicroPython."""

import asyncio
import binascii
import gc
import io
import os
import time

from wsserver import Response

BLOCK = bytes(range(4, 256))

started = ended = 0


def add(server):
    """Register the routes."""

    @server.route("/async/<int:ms>", methods=("GET", "POST"))
    async def wait(request, ms):
        await asyncio.sleep_ms(ms)
        return {"waited": ms, "body": len(request.body)}

    # These answer when the test has made a file /go: see `release` in conftest.py.
    @server.route("/held-async")
    async def held_async(request):
        print("held")
        while "go" not in os.listdir("/"):
            await asyncio.sleep_ms(5)
        return "released"

    @server.route("/held-blocking")
    def held_blocking(request):
        print("held")
        while "go" not in os.listdir("/"):
            time.sleep_ms(5)
        return "released"

    @server.route("/async-raises")
    async def raises(request):
        await asyncio.sleep_ms(1)
        raise RuntimeError("on purpose, async")

    @server.route("/forever", methods=("GET", "POST"), stream=True)
    async def forever(request):
        global started, ended
        started += 1
        try:
            while True:
                await asyncio.sleep_ms(10)
        finally:
            ended += 1

    def not_async(request):
        return server and len(request.read(5))  # a closure, as handlers in setup() often are

    server.route("/not-async", methods=("POST",), stream=True)(not_async)

    @server.route("/forgotten", methods=("POST",), stream=True)
    async def forgotten(request):
        await asyncio.sleep_ms(100)
        return "forgotten"

    @server.route("/tasks")
    def tasks(request):
        return {"started": started, "ended": ended}

    @server.route("/upload", methods=("POST", "PUT"), stream=True)
    async def upload(request):
        size = check = 0
        try:
            while True:
                data = await request.read(1024)
                if not data:
                    break
                size += len(data)
                check = binascii.crc32(data, check)
            print("upload complete", size)
            return {"size": size, "check": check}
        finally:
            print("upload ended", size)

    @server.route("/echo", methods=("POST",), stream=True)
    async def echo(request):
        parts = []
        while True:
            data = await request.read(7)
            if not data:
                return b"".join(parts)
            parts.append(data)

    @server.route("/limited", methods=("POST",), stream=True, max_body=5000)
    async def limited(request):
        while await request.read(512):
            pass
        return "all"

    @server.route("/unread", methods=("POST",), stream=True)
    async def unread(request):
        return "not read"

    @server.route("/slow-reader", methods=("POST",), stream=True)
    async def slow_reader(request):
        size = 0
        while True:
            data = await request.read(4096)
            if not data:
                return "%d" % size
            size += len(data)
            await asyncio.sleep_ms(20)

    @server.route("/parts", methods=("POST",), stream=True)
    async def parts(request):
        found = []
        async for part in request.parts():
            size = check = 0
            while part.name != "skip":
                data = await part.read(300)
                if not data:
                    break
                size += len(data)
                check = binascii.crc32(data, check)
            found.append([part.name, part.filename, part.headers.get("content-type"), size, check])
        return found

    @server.route("/download/<int:size>")
    def download(request, size):
        return Response(Pattern(size))

    server.websocket("/stream", Streams())

    @server.route("/peak")
    def peak(request):
        most, watch.peak = watch.peak, 0
        return "%d" % most

    watch = Watch(server._pool)
    server.every(10, watch)


class Streams:
    """Sends as many bytes as a message says."""

    def on_message(self, client, message):
        client.send_stream(Pattern(int(message)))


class Watch:
    """The most heap in use after a collection, since it was asked the last time.

    Spare buffers count as free: whoever borrows one uses its memory. Garbage to which the stack
    still has a pointer does not count: it is gone when looking a second time.
    """

    peak = before = 0

    def __init__(self, pool):
        self._pool = pool

    def __call__(self):
        gc.collect()
        spare = sum([len(buffer) for buffer in self._pool._spare])
        now = gc.mem_alloc() - spare
        self.peak = max(self.peak, min(now, self.before))
        self.before = now


class Pattern(io.IOBase):
    """A file of blocks of 256 bytes, each of which begins with its position.

    It holds no data, so that what a transfer takes is the server's own.
    """

    def __init__(self, size):
        self._size = size
        self._pos = 0

    def readinto(self, buf):
        size = min(len(buf), self._size - self._pos)
        if size > 256:
            size -= size % 256
        for start in range(0, size, 256):
            stop = min(start + 256, size)
            if stop - start > 4:
                buf[start + 4 : stop] = BLOCK if stop - start == 256 else BLOCK[: stop - start - 4]
            buf[start : start + 4] = (self._pos + start).to_bytes(4, "big")
        self._pos += size
        return size
