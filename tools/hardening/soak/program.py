"""main.py of the boards for soak tests and fuzzing: the library, and endpoints that report its
health.

Runs on MicroPython. /options.json may contain the arguments of Server, and whether to use TLS.
Clients that come and go are not logged: there are many.
"""

import gc
import json

from wsserver import WARNING, Server

with open("/options.json") as file:
    options = json.load(file)


def log(level, text):
    if level >= options.get("level", WARNING):
        print(text)


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Room:
    """Send each message to all clients."""

    def on_message(self, client, message):
        server.broadcast(message, path="/room")


class Flood:
    """Send a text of so many bytes twenty times, whether the client reads it or not."""

    def on_message(self, client, message):
        try:
            text = "x" * min(int(message[:5]), 4000)
        except ValueError:
            return
        for _ in range(20):
            client.send(text)


class Chunks:
    """Receive messages of any size in pieces and report their lengths."""

    def on_open(self, client):
        client.context = 0

    def on_chunk(self, client, chunk, final):
        client.context += len(chunk)
        if final:
            client.send(str(client.context))
            client.context = 0


class Health:
    def on_message(self, client, message):
        gc.collect()
        health = {
            "heap": gc.mem_alloc(),
            "free": gc.mem_free(),
            "clients": len(server.clients),
            "connections": len(server._connections),
            "visitors": len(server._acceptor.http_connections),
        }
        client.send(json.dumps(health))


class Hog:
    """Fill the heap for a while: told "ms left", it leaves one free block of `left` bytes."""

    def on_message(self, client, message):
        ms, left = (int(word) for word in message.split())
        # The server's spare buffer is kept, as busy clients would keep it.
        hoard = []

        def release():
            hoard.clear()
            print("released", left)

        server.after(ms, release)
        gc.collect()
        spare = bytearray(left) if left else None
        chain = None
        try:
            while True:
                chain = (chain,)
        except MemoryError:
            hoard.append(chain)
        del spare
        print("hogged", left)


def add_routes():
    """Register routes that receive bodies."""

    @server.route("/body", methods=("POST",))
    def body(request):
        return {"body": len(request.body), "form": len(request.form)}

    @server.route("/upload", methods=("POST",), stream=True)
    async def upload(request):
        size = 0
        while True:
            data = await request.read(500)
            if not data:
                return {"size": size}
            size += len(data)

    @server.route("/parts", methods=("POST",), stream=True)
    async def parts(request):
        names = []
        async for part in request.parts():
            names.append(part.name)
            await part.read(100)
        return names


server = Server(log=log, **options["server"])
server.websocket("/ws", Echo())
server.websocket("/room", Room())
server.websocket("/flood", Flood())
server.websocket("/chunks", Chunks())
server.websocket("/health", Health())
server.websocket("/hog", Hog())
if options.get("routes"):
    add_routes()
server.files("/", "/www")
server.listen(80)
if options["tls"]:
    from certificates.context import server_context

    server.listen(443, tls=server_context("/certs/server.crt.der", "/certs/server.key.der"))
server.run()
