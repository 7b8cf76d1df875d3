"""main.py of a board with several servers in one loop, so that one board has several settings.

Runs on MicroPython. /servers.json holds, for each server: the arguments of Server, its other
attributes, the arguments of Limits, its ports, and whether it speaks TLS.
"""

import json
import time

from wsserver import Server

try:
    from wsserver.http.auth import Basic, Token
    from wsserver.http.ratelimit import Limits
except ImportError:
    from wsserver.access import Basic, Token
    from wsserver.limits import Limits


class Echo:
    def on_open(self, client):
        if client.query == "describe":
            client.send(json.dumps({"address": client.address, "secure": client.secure}))

    def on_message(self, client, message):
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
    server.files("/", "/site")
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


with open("/servers.json") as file:
    servers = [make(name, settings) for name, settings in json.load(file).items()]
print("all servers listen")
while True:
    for server in servers:
        server.step(3)
