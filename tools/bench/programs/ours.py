"""This server, by its public API. The benchmarks use /ws and /all, `make compare` the rest."""

import gc
import io
import time

from wsserver import Response, Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Everyone:
    def on_message(self, client, message):
        server.broadcast(TEXT, path="/all")


class Fails:
    def on_message(self, client, message):
        raise ValueError("a mistake of the application")


class Slow:
    def on_message(self, client, message):
        time.sleep_ms(300)
        client.send(message)


class Heap:
    def on_message(self, client, message):
        gc.collect()
        client.send(str(gc.mem_alloc()))


TEXT = "b" * 100
server = Server(max_clients=MOST, max_size=MAX_SIZE, **OPTIONS)
server.websocket("/ws", Echo())
server.websocket("/all", Everyone())
server.websocket("/fails", Fails())
server.websocket("/slow", Slow())
server.websocket("/heap", Heap())
if HTTP:

    @server.route("/json")
    def soil(request):
        return {"soil": 41, "unit": "%"}

    @server.route("/upload", methods=("POST",))
    def upload(request):
        return {"size": len(request.body)}

    @server.route("/publish")
    def publish(request):
        events.send(TEXT)
        return "sent"

    @server.route("/receive", methods=("POST",), stream=True)
    async def receive(request):
        while await request.read(1024):
            pass

    class Endless(io.IOBase):
        """A file without an end, whose contents take no time."""

        def readinto(self, buf):
            return len(buf)

    @server.route("/send")
    def send(request):
        return Response(Endless())

    class Stream:
        def on_open(self, client):
            client.send_stream(Endless())

    server.websocket("/stream", Stream())
    events = server.events("/events")
    server.files("/site/", "/site")
server.listen(PORT)
server.run()
