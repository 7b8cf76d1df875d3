"""What happens when a page comes or leaves, and the descriptions of widgets.

Loaded for each of these events.
"""

import json
from os import uname
from time import ticks_ms

from micropython import const

from wsserver import lazy

_PATH = const("/panel")
_VERSION = const(1)  # of the protocol
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_PIECE = const(700)  # bytes of a message: half a TCP segment, because it is built of copies


def open(session, client) -> None:
    """Send a page its first message, and tell the custom widgets of it."""
    session.pages[client] = True
    system = uname()
    hello = {
        "type": "panel",
        "version": _VERSION,
        "id": client.id,
        "name": session.name,
        "board": system.machine,
        "firmware": "MicroPython " + system.release,
        "time": ticks_ms() & _CLOCK,
        "interval": session.timer.ms,
        "count": len(session.latest),
        "problem": session.problem,
    }
    client.send(json.dumps(hello))
    tell(session, "on_open", client)


def tell(session, name: str, client) -> None:
    """Call on_open or on_close of the custom widgets that have it."""
    for widget in session.widgets():
        found = widget[3]
        if isinstance(found, str):  # a module, which is loaded for this
            found = lazy.load(found).endpoint(session.server)
        method = getattr(found, name, None)
        if method:
            method(client)


def report(session, id: int, error: str) -> None:
    """Send all pages an error about reading a value."""
    error = lazy.call("panel.parse", "valid", error)
    message = {"type": "error", "id": id, "error": error}
    session.server.broadcast(json.dumps(message), _PATH)


def message(session, first: int) -> str:
    """Return the message with the descriptions from `first` on, as many as fit."""
    widgets = session.widgets()
    count = len(widgets)
    text = ""
    id = first
    while id < count:
        item = json.dumps(describe(session, id, widgets[id]))
        if text and len(text) + len(item) > _PIECE:
            break
        text += ", " + item if text else item
        id += 1
    head = '{"type": "widgets", "first": %d, "next": %s, "widgets": ['
    return head % (first, id if id < count else "null") + text + "]}"


def describe(session, id: int, widget) -> dict:
    """Return the description of one widget, with its current value."""
    session.update(id)
    found = {widget[at]: widget[at + 1] for at in range(4, len(widget), 2)}
    found["id"] = id
    found["kind"] = widget[0]
    found["label"] = widget[1]
    found["value"] = session.latest[id]
    if id in session.errors:
        found["error"] = lazy.call("panel.parse", "valid", session.errors[id])
    return found
