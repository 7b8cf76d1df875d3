"""main.py of the boards on which lib/fleet is tested: endpoints that viewers can command.

Runs on MicroPython. /fleet.json is the section "fleet" of the settings.
"""

import gc
import io
import json

import fleet

from config import schema
from wsserver import Server
from wsserver.http.auth import Token

with open("/fleet.json") as file:
    settings = schema.validate({"fleet": json.load(file), "wifi": {"hostname": "board"}})[0]

server = Server(log=lambda level, text: print("[%d] %s" % (level, text)))


class Board:
    """What fleet.start() needs."""

    panel = None

    def __init__(self):
        self.server = server
        self.settings = {"fleet": settings["fleet"]}
        self.name = "board"


class Echo:
    """Send every message back; count those of a client in its context."""

    def on_open(self, client):
        client.context = 0
        print("opened", client.address[0], client.path)

    def on_message(self, client, message):
        client.context += 1
        client.send(message)

    def on_close(self, client, code, reason):
        print("closed", client.address[0], client.context, code, reason)


class Room:
    """A path with parameters."""

    def on_message(self, client, message):
        client.send("%s %s %d" % (message, client.params["name"], client.params["number"]))
        server.broadcast("news", path=client.path)


class Full:
    """Accept no client."""

    def on_open(self, client):
        client.close(4001, "no room")


class Pieces:
    """An asynchronous source."""

    def __init__(self, left):
        self.left = left

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return "async"


class Control:
    """Orders; each is a method."""

    def on_message(self, client, message):
        name, _, argument = message.partition(" ")
        getattr(self, name)(client, argument)

    def broadcast(self, client, text):
        client.send("reached %d" % server.broadcast(text, path="/ws"))

    def everyone(self, client, text):
        server.broadcast(text)

    def secret(self, client, text):
        server.broadcast(text, path="/admin")
        client.send("done")

    def count(self, client, argument):
        first, last = [int(word) for word in argument.split()]
        for number in range(first, last):
            server.broadcast("%d" % number, path="/ws")
        client.send("counted")

    def stream(self, client, argument):
        kind, size = argument.split()
        size = int(size)
        pieces = ("x" * 700 for _ in range(size))
        if kind == "bytes":
            pieces = io.BytesIO(bytes(range(256)) * size)
        elif kind == "async":
            pieces = Pieces(size)
        elif kind == "failing":
            pieces = (1 // (size - number) and "x" for number in range(size + 1))
        client.send_stream(pieces, text=kind != "bytes")
        if kind == "twice":
            client.send_stream("y", text=True)

    def join(self, client, group):
        client.join(group)

    def leave(self, client, group):
        client.leave(group)

    def memory(self, client, _):
        gc.collect()
        client.send("%d" % gc.mem_alloc())

    def close(self, client, argument):
        client.close(4000, argument)

    def fail(self, client, _):
        raise RuntimeError("on purpose")


server.websocket("/ws", Echo())
server.websocket("/control", Control())
server.websocket("/full", Full())
server.websocket("/rooms/<name>/<int:number>", Room())
server.websocket("/token", Echo(), access=Token("a secret of the board"))
server.websocket("/admin", Echo(), access=Token("a secret of the admin"), reserved=True)
server.listen(80)
fleet.start(Board())
server.run()
