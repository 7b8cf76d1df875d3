"""Register the demo's endpoints and widgets. Loaded at startup and dropped."""

import sys
from time import time

from micropython import const

from wsserver import lazy

from .echo import Broadcast, Echo

# Bytes that /demo needs on a chip: 13 KB, and more while it is loaded. The same for /panel.
_ROOM = const(18000)
_PAGE_ROOM = const(24000)
_STARTUP = const(4000)  # bytes of the code that is loaded now, and not later
_OFF = {"enabled": False}


def setup(board) -> None:
    """Add the demo to a board (lib/application.py)."""
    server, settings = board.server, board.settings
    server.websocket("/ws", Echo())
    if settings["demo"]["enabled"]:
        started = time()
        wide = sys.maxsize >> 62  # objects of 64-bit machines are twice as large
        if settings.get("fleet", _OFF)["enabled"]:  # it describes the widgets at once
            board.panel.load("demo.widgets", settings["demo"], started)
        else:
            # Not the board, and not all settings: they would stay in memory.
            options = ("demo.page", board.name, settings["demo"], started)
            room = 16000 if wide else _PAGE_ROOM  # the chip's heap is more fragmented
            server.websocket("/panel", lazy.LazyEndpoint(server, *options, room=room))
        room = _ROOM << wide
        if lazy.free_heap() + (_STARTUP << wide) < room:
            print("demo: not enough memory for /demo")
        else:
            options = ("demo.chat", "/demo", settings["demo"], started)
            server.websocket("/demo", lazy.LazyEndpoint(server, *options, room=room))
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
