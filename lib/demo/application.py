"""Register the demo's endpoints and widgets. Loaded at startup and dropped."""

import sys
from time import time

from micropython import const

from wsserver import lazy

from .echo import Echo, broadcast

# Bytes that /demo needs on a chip: 15 KB, and more while it is loaded. The same for /panel.
_NEED = const(20500)
_PAGE_NEED = const(14000)
_STARTUP = const(4500)  # bytes of the code that is loaded now, less the next table of names


def setup(board) -> None:
    """Add the demo to a board (lib/application.py)."""
    server, settings = board.server, board.settings
    server.websocket("/ws", Echo())
    if settings["demo"]["enabled"]:
        started = time()
        inplace = lazy.load("wsserver.inplace")
        if settings["fleet"]["enabled"]:  # it describes the widgets at once
            board.panel.load("demo.fleetpanel", settings["demo"], started)
        else:
            # Not the board, and not all settings: they would stay in memory.
            options = ("demo.status", board.name, settings["demo"], started)
            # The chip's heap is more fragmented than that of a 64-bit machine.
            need = 16000 if sys.maxsize >> 62 else inplace.need(_PAGE_NEED, __file__)
            server.websocket("/panel", lazy.LazyEndpoint(server, *options, need=need))
        need = inplace.need(_NEED, __file__)
        if lazy.free_heap() + inplace.need(_STARTUP, __file__) < need:
            print("demo: not enough memory for /demo")
        else:
            options = ("demo.endpoint", "/demo", settings["demo"], started)
            server.websocket("/demo", lazy.LazyEndpoint(server, *options, need=need))
    greeting = settings["broadcast"]
    if greeting["interval"]:
        broadcast(server, greeting["text"], greeting["interval"])
