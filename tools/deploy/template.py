"""`make new APP=my_app.py`: write the template of an application."""

from __future__ import annotations

from pathlib import Path

from tools import ROOT
from tools.failure import Failure, spelled
from tools.output import quoted

from .application import rules

TEXT = '''\
"""An application for the board. Run it:  make run APP={name}

docs/applications.md explains the parts, docs/api.md all methods of `server` and `client`.
"""

import time


class Echo:
    """A WebSocket endpoint. Each method is optional."""

    def __init__(self, server):
        self.server = server

    def on_open(self, client):
        print("client %d connected from %s" % (client.id, client.address[0]))

    def on_message(self, client, message):  # a str for text, bytes for binary
        client.send(message)  # only to this client; self.server.broadcast sends to all

    def on_close(self, client, code, reason):
        print("client %d disconnected: %d %s" % (client.id, code, reason))


def setup(board):
    """Called once at startup. The board serves as soon as it returns."""
    server = board.server  # board.settings has config.json, board.name the host name
    server.websocket("/ws", Echo(server))  # ws://192.168.4.1/ws

    started = time.ticks_ms()

    def seconds():
        return time.ticks_diff(time.ticks_ms(), started) // 1000

    # Call a function every 5 seconds. It must return quickly: the server has one loop.
    server.every(5000, lambda: server.broadcast("up for %d s" % seconds()))

    # A widget on the board's page, with one line each (docs/widgets.md):
    # board.panel.value("Up time", seconds, unit="s")

    # An answer to HTTP requests:
    # @server.route("/api/uptime")
    # def uptime(request):
    #     return {{"seconds": seconds()}}

    # A page of your own: put index.html into a folder www/ beside this file.
'''


def write(path: Path) -> None:
    """Write the template. Raises Failure if the path is no new Python file."""
    if path.suffix != ".py":
        name = "" if path == Path() else path  # make new without APP=
        raise Failure(f"APP={name} must be the name of a Python file, such as APP=my_app.py")
    if rules(ROOT).is_taken(path.name):
        raise Failure(
            f"MicroPython or the firmware has a module {path.stem!r}, which {path} would hide:"
            " choose another name"
        )
    shown = quoted(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(spelled(TEXT.format(name=shown)))
    except FileExistsError:
        raise Failure(f"{path} already exists and was not changed: make run APP={shown}") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
    print(spelled(f"{path} is ready: make run APP={shown}"))
