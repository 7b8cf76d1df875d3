"""The application that main.py serves. /ws echoes, and is sent the periodic broadcast; /demo is
what the page talks to (`chat`), whose code is loaded while somebody is there.

Only needed at start.
"""

import gc
import sys

from broadcast import Broadcast, Echo

_ROOM = 14000  # bytes that /demo takes on a chip: 9 KB of code, the rest for its clients


def build(server, settings: dict, https=None) -> None:
    """Put the demo onto a server. https: a port to which requests for the page are sent on."""
    origins = (None, "self") + tuple(settings["access"]["origins"])
    server.websocket("/ws", Echo(), origins=origins)
    if settings["demo"]["enabled"]:
        room = _ROOM << (sys.maxsize >> 62)  # objects of 64-bit machines are twice as large
        if gc.mem_free() < room:
            print("demo: the heap is too small for /demo")
        else:
            from time import time

            from wsserver.lazy import LazyEndpoint

            chat = LazyEndpoint(server, "chat", "/demo", settings["demo"], time(), room=room)
            server.websocket("/demo", chat, origins=origins)
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
    server.files("/", "/www", https)
