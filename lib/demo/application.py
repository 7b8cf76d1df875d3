"""Register the demo's endpoints and pages with the server. Loaded at startup and dropped."""

import sys
from time import time

from micropython import const

from wsserver import lazy

from .echo import Broadcast, Echo

_ROOM = const(14000)  # bytes that /demo needs on a chip: 9 KB of code, the rest for its clients


def build(server, settings: dict, https=None) -> None:
    """Add the demo to a server. https: port to which plain page requests are redirected."""
    server.websocket("/ws", Echo())
    if settings["demo"]["enabled"]:
        room = _ROOM << (sys.maxsize >> 62)  # objects of 64-bit machines are twice as large
        if lazy.free_heap() < room:
            print("demo: not enough memory for /demo")
        else:
            chat = lazy.LazyEndpoint(
                server, "demo.chat", "/demo", settings["demo"], time(), room=room
            )
            server.websocket("/demo", chat)
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
    try:
        server.files("/", "/www", https)
    except ValueError as error:  # without pages, the endpoints are served
        print("demo: no pages: %s" % error)
