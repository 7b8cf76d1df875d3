"""Routes with async handlers, and streams. Runs on MicroPython."""

import asyncio
import binascii
import gc

from wsserver import Response

started = ended = 0


def add(server):
    """Register the routes."""

    @server.route("/async/<int:ms>", methods=("GET", "POST"))
    async def wait(request, ms):
        await asyncio.sleep_ms(ms)
        return {"waited": ms, "body": len(request.body)}

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
        return Response(pattern(size))

    @server.route("/peak")
    def peak(request):
        most, watch.peak = watch.peak, 0
        return "%d" % most

    watch = Watch()
    server.every(10, watch)


class Watch:
    """The most heap in use after a collection, since it was asked the last time."""

    peak = 0

    def __call__(self):
        gc.collect()
        self.peak = max(self.peak, gc.mem_alloc())


def pattern(size):
    """Pieces of 1024 bytes, each of which begins with its position."""
    piece = bytearray(bytes(range(256)) * 4)
    for start in range(0, size, 1024):
        piece[:4] = start.to_bytes(4, "big")
        yield memoryview(piece)[: min(1024, size - start)]
