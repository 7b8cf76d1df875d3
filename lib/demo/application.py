"""Register the demo's endpoints and widgets. Loaded at startup and dropped."""

import sys
from time import time

from micropython import const

from wsserver import lazy

from .echo import Broadcast, Echo

_ROOM = const(18000)  # bytes that /demo needs on a chip: 13 KB, and more while it is loaded
<<<<<<< HEAD
_PAGE_ROOM = const(8000)  # bytes that /panel needs on a chip, with the demo's widgets
_STARTUP = const(8000)  # bytes of the code that is loaded now, and not later
=======
_PANEL = const(24000)  # the same for /panel: 18 KB, and large enough free blocks
_STARTUP = const(4000)  # bytes of the code that is loaded now, and not later
>>>>>>> memory
_OFF = {"enabled": False}


def setup(board) -> None:
    """Add the demo to a board (lib/application.py)."""
    server, settings = board.server, board.settings
    server.websocket("/ws", Echo())
    if settings["demo"]["enabled"]:
        started = time()
<<<<<<< HEAD
        if settings.get("fleet", _OFF)["enabled"]:  # it describes the widgets at once
            board.panel.load("demo.widgets", settings["demo"], started)
        else:
            page = lazy.LazyEndpoint(server, "demo.page", settings, started, room=_PAGE_ROOM)
            server.websocket("/panel", page)
=======
>>>>>>> memory
        wide = sys.maxsize >> 62  # objects of 64-bit machines are twice as large
        # Not the board: it would keep all settings in memory.
        options = (board.name, settings["demo"], started, 0 if wide else _PANEL)
        if settings.get("fleet", _OFF)["enabled"]:  # it describes the widgets at once
            lazy.call("demo.register", "serve", server, *options, board.panel)
        else:
            lazy.route(server, "/panel", "demo.register", *options)
        room = _ROOM << wide
        if lazy.free_heap() + (_STARTUP << wide) < room:
            print("demo: not enough memory for /demo")
        else:
            options = ("demo.chat", "/demo", settings["demo"], started)
            server.websocket("/demo", lazy.LazyEndpoint(server, *options, room=room))
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
