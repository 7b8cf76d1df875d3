"""lib/demo.py of the board that the page is tested on, until there is a real one: /demo, as
docs/protocol.md has it. Runs on MicroPython.
"""

import gc
import json
import time

CHAT = "/demo"


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Demo:
    def __init__(self, server):
        self.server = server
        self.names = {}
        self.timers = {}
        self.led = {"on": False, "color": [255, 120, 0]}

    def tell(self, client, **message):
        client.send(json.dumps(message))

    def tell_all(self, **message):
        self.server.broadcast(json.dumps(message), path=CHAT)

    def tell_who(self):
        clients = [{"id": id, "name": name} for id, name in sorted(self.names.items())]
        self.tell_all(type="clients", count=len(clients), clients=clients)

    def on_open(self, client):
        self.names[client.id] = name = "client %d" % client.id
        about = {"led": self.led, "board": "virtual board", "version": "0.1.0"}
        self.tell(client, type="welcome", id=client.id, name=name, **about)
        self.tell_who()

    def on_close(self, client, code, reason):
        del self.names[client.id]
        self.report(client, 0)
        self.tell_who()

    def on_message(self, client, message):
        try:
            order = json.loads(message)
            name = [name for name in ("echo", "stats", "name", "led", "message") if name in order]
            getattr(self, "do_" + name[0])(client, order[name[0]], order)
        except (ValueError, TypeError, IndexError) as error:
            self.tell(client, type="error", error="not understood: %r" % error)

    def do_echo(self, client, value, _):
        self.tell(client, type="echo", echo=value)

    def do_stats(self, client, seconds, _):
        self.report(client, seconds)
        if seconds:
            self.send_stats(client)

    def report(self, client, seconds):
        timer = self.timers.pop(client.id, None)
        if timer:
            timer.cancel()
        if seconds and seconds is not True:
            every = int(1000 * seconds)
            self.timers[client.id] = self.server.every(every, lambda: self.send_stats(client))

    def send_stats(self, client):
        ms = time.ticks_ms()
        heap = {"free": gc.mem_free(), "used": gc.mem_alloc(), "largest": 20000}
        clients = [
            {"id": id, "name": name, "path": CHAT, "queue": 0, "messages": ms % 100, "bytes": 4321}
            for id, name in self.names.items()
        ]
        self.tell(
            client,
            type="stats",
            uptime=ms // 1000,
            cpu=ms % 37 / 100,
            heap=heap,
            idf=None,
            temperature=41.2,
            wifi={"mode": "ap", "stations": [{"mac": "02:00:00:00:00:01", "rssi": -58}]},
            clients=clients,
            messages_per_second=ms % 29 / 10,
            bytes_per_second=412,
        )

    def do_name(self, client, name, _):
        self.names[client.id] = name
        self.tell_who()

    def do_led(self, client, value, _):
        if isinstance(value, list):
            self.led = {"on": True, "color": value}
        else:
            self.led["on"] = not self.led["on"] if value == "toggle" else value == "on"
        self.tell_all(type="led", by=client.id, **self.led)

    def do_message(self, client, text, order):
        sender = {"from": client.id, "name": self.names[client.id]}
        if "to" not in order:
            self.tell_all(type="message", message=text, **sender)
        elif order["to"] in self.names:
            other = self.server.client(order["to"])
            self.tell(other, type="message", message=text, to=order["to"], **sender)
        else:
            self.tell(client, type="error", error="nobody has the id %s" % order["to"])


def build(server, settings, https=None):
    server.websocket("/ws", Echo())
    server.websocket(CHAT, Demo(server))
    server.files("/", "/www", https)
