"""Register the demo's endpoints and widgets. Loaded at startup and dropped."""

import sys
from time import time

from micropython import const

from wsserver import lazy

from .echo import Broadcast, Echo

_ROOM = const(18000)  # bytes that /demo needs on a chip: 13 KB, and more while it is loaded
_PAGE_ROOM = const(8000)  # bytes that /panel needs on a chip, with the demo's widgets
_STARTUP = const(8000)  # bytes of the code that is loaded now, and not later
_OFF = {"enabled": False}


def setup(board) -> None:
    """Add the demo to a board (lib/application.py)."""
    server, settings = board.server, board.settings
    server.websocket("/ws", Echo())
    if settings["demo"]["enabled"]:
        started = time()
        if settings.get("fleet", _OFF)["enabled"]:  # it describes the widgets at once
            board.panel.load("demo.widgets", settings["demo"], started)
        else:
            page = lazy.LazyEndpoint(server, "demo.page", settings, started, room=_PAGE_ROOM)
            server.websocket("/panel", page)
        wide = sys.maxsize >> 62  # objects of 64-bit machines are twice as large
        room = _ROOM << wide
        if lazy.free_heap() + (_STARTUP << wide) < room:
            print("demo: not enough memory for /demo")
        else:
            options = ("demo.chat", "/demo", settings["demo"], started)
            server.websocket("/demo", lazy.LazyEndpoint(server, *options, room=room))
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
