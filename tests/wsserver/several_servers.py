"""main.py of a board with several servers in one loop, so that one board has several settings.

Runs on MicroPython. /servers.json holds, for each server: the arguments of Server, its other
attributes, the arguments of Limits, its ports, and whether it speaks TLS.
"""

import json
import socket
import sys
import time

with open("/servers.json") as file:
    settings = json.load(file)


class Clock:
    """Stands in for `time` as it is on a chip, where ticks_ms begins again at 2 ** 30; `offset` is
    how many ms have passed unnoticed.
    """

    offset = 0

    def __init__(self):
        # Not methods: MicroPython 1.25 does not import what is bound to an object.
        self.ticks_ms = lambda: (time.ticks_ms() + self.offset) & 0x3FFFFFFF
        self.ticks_add = lambda ticks, ms: (ticks + ms) & 0x3FFFFFFF
        self.ticks_diff = lambda end, start: ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000
        self.time = lambda: time.time() + self.offset // 1000

    def __getattr__(self, name):
        return getattr(time, name)


class Narrow(socket.socket):
    """A socket with the chip's send buffer. Those that it accepts have it, too."""

    def listen(self, backlog):
        self._sock.setsockopt(1, 7, 5744)
        super().listen(backlog)


clock = Clock()
if settings.pop("clock"):
    sys.modules["time"] = clock
if settings.pop("narrow"):
    socket.socket = Narrow

from wsserver import Server  # noqa: E402
from wsserver.http.auth import Basic, Token  # noqa: E402
from wsserver.http.ratelimit import Limits  # noqa: E402


class Echo:
    def on_open(self, client):
        if client.query == "describe":
            client.send(json.dumps({"address": client.address, "secure": client.secure}))

    def on_message(self, client, message):
        client.send(message)


class Jump:
    """Lets so many ms pass as the message says."""

    def on_message(self, client, message):
        clock.offset += int(message)
        client.send(message)


class Log:
    def __init__(self, name):
        self._name = name

    def write(self, level, text):
        print("[%s %d] %s" % (self._name, level, text))


def make(name, settings):
    server = Server(log=Log(name).write, **settings.get("server", {}))
    for attribute, value in settings.get("attributes", {}).items():
        setattr(server, attribute, value)
    if "limits" in settings:
        server.limits = Limits(**settings["limits"])
    server.websocket("/ws", Echo())
    server.websocket("/other", Echo(), origins=("https://app.example",))
    server.websocket("/token", Echo(), access=Token("s3cret"))
    server.websocket("/basic", Echo(), access=Basic("admin", "s3cret"))
    if settings.get("reserved"):
        server.websocket("/admin", Echo(), access=Token("s3cret"), reserved=True)
    server.websocket("/clock", Jump())
    server.websocket("/rooms/<name>", Echo())
    server.route("/client")(lambda request: request.address[0])
    server.files("/", "/site", settings.get("https"))
    for port in settings["ports"]:
        server.listen(port)
    if settings.get("tls"):
        server.listen(settings["tls"], tls=tls_context())
    return server


def tls_context():
    try:
        from certificates.context import server_context
    except ImportError:
        from tlscontext import server_context
    return server_context("/certs/server.crt.der", "/certs/server.key.der")


servers = [make(name, values) for name, values in settings.items()]
print("all servers listen")
while True:
    for server in servers:
        server.step(3)
