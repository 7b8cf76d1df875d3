"""main.py of the boards of `make bench-fleet`. Runs on MicroPython.

/bench.json: the board's name, the ms between two broadcasts, and the section "fleet".
"""

import gc
import json

import fleet

from config import schema
from wsserver import Server

try:
    import utime  # the host's clock: `time` of the virtual board begins with its start
except ImportError:
    import time as utime

with open("/bench.json") as file:
    bench = json.load(file)

server = Server(log=lambda level, text: print(text))
count = 0


class Board:
    """What fleet.start() needs."""

    panel = None
    name = bench["name"]
    settings = {"fleet": schema.validate({"fleet": bench["fleet"]})[0]["fleet"]}

    def __init__(self):
        self.server = server


class Listeners:
    """Viewers only listen."""

    def on_message(self, client, message):
        client.send(message)


class Control:
    """Answers a local client."""

    def on_message(self, client, message):
        if message == "memory":
            gc.collect()
            message = "%d" % gc.mem_alloc()  # type: ignore[attr-defined]
        client.send(message)


def tick():
    """Broadcast the counter and the time in microseconds."""
    global count
    count += 1
    server.broadcast("%d %d" % (count, utime.time_ns() // 1000), "/ws")


def report():
    """Tell the bench what it cannot see."""
    gc.collect()
    relay = server._relay
    bridge = getattr(relay, "__self__", None)
    used = gc.mem_alloc()  # type: ignore[attr-defined]
    print("heap %d count %d dropped %d" % (used, count, bridge.dropped if bridge else 0))


server.websocket("/ws", Listeners())
server.websocket("/control", Control())
server.listen(80)
server.every(bench["interval"], tick)
server.every(2000, report)
if bench["fleet"]["enabled"]:
    fleet.start(Board())
server.run()
