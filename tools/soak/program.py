"""main.py of the board that is soaked: the library with all that loads it, and a way to look in.

Runs on MicroPython. It says nothing of clients that come and go, of whom there are many.
"""

import gc
import json

from tlscontext import server_context
from wsserver import WARNING, Server


def log(level, text):
    if level >= WARNING:
        print(text)


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Room:
    """What one says, all hear."""

    def on_message(self, client, message):
        server.broadcast(message, path="/room")


class Flood:
    """Sends a text of so many bytes twenty times, whether the client takes it or not."""

    def on_message(self, client, message):
        text = "x" * int(message)
        for _ in range(20):
            client.send(text)


class Chunks:
    """Takes messages of any size in pieces, and says how long each was."""

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
            "connections": len(server.connections),
            "visitors": len(server._reception.visitors),
        }
        client.send(json.dumps(health))


server = Server(log=log, max_clients=7, ping_interval=3, ping_timeout=3, open_timeout=3)
server.websocket("/ws", Echo())
server.websocket("/room", Room())
server.websocket("/flood", Flood())
server.websocket("/chunks", Chunks())
server.websocket("/health", Health())
server.files("/", "/www")
server.listen(80)
server.listen(443, tls=server_context("/certs/server.crt.der", "/certs/server.key.der"))
server.run()
