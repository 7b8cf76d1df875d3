"""main.py of the board on which it is tested who gets in, and what one address may do.

Runs on MicroPython. /guarded.json holds the arguments of Limits, and where foreign names are sent.
"""

import gc
import json
import sys
import time

from wsserver import Server
from wsserver.http.auth import Basic, Token
from wsserver.lazy import LazyEndpoint

with open("/guarded.json") as file:
    guarded = json.load(file)


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Slow:
    """Takes as many ms as the message says."""

    def on_open(self, client):
        time.sleep_ms(int(client.query or 0))

    def on_message(self, client, message):
        time.sleep_ms(int(message))
        client.send("done")


class Modules:
    """Answers whether a module is loaded."""

    def on_message(self, client, message):
        gc.collect()
        client.send("%s" % (message in sys.modules))


class Counts:
    """Answers with what has been received from the client."""

    def on_message(self, client, message):
        client.send("%d %d" % (client.messages, client.bytes))


server = Server(max_clients=20)
server.hosts = ("board", "board.local", "localhost")
server.portal = guarded["portal"]
if guarded["limits"]:
    from wsserver.http.ratelimit import Limits

    server.limits = Limits(**guarded["limits"])
server.websocket("/ws", Echo())
server.websocket("/token", Echo(), subprotocols=("chat",), access=Token("s3cret/+"))
server.websocket("/basic", Echo(), access=Basic("admin", "pass:word"))
server.websocket("/slow", Slow())
server.websocket("/modules", Modules())
server.websocket("/counts", Counts())
server.websocket("/seldom", LazyEndpoint(server, "seldom", "hello"))
server.websocket("/broken", LazyEndpoint(server, "broken"))
server.websocket("/hungry", LazyEndpoint(server, "hungry"))
server.websocket("/patient", LazyEndpoint(server, "seldom", "patient", need=1 << 30))
server.websocket("/urgent", LazyEndpoint(server, "urgent", "now", need=1 << 29, urgent=True))
server.listen(80)
server.run()
