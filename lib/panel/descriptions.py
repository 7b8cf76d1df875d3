"""Describe a panel: its greeting and its widgets. Loaded while a page connects."""

import json
from os import uname
from time import ticks_ms

from micropython import const

_VERSION = const(1)  # of the protocol
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_PIECE = const(1400)  # bytes of a message: one TCP segment


def greeting(session, client, interval: int) -> str:
    """Return the first message for a page."""
    system = uname()
    hello = {
        "type": "panel",
        "version": _VERSION,
        "id": client.id,
        "name": session.panel.name,
        "board": system.machine,
        "firmware": "MicroPython " + system.release,
        "time": ticks_ms() & _CLOCK,
        "interval": interval,
        "count": len(session.panel.widgets),
        "problem": session.problem,
    }
    return json.dumps(hello)


def message(session, first: int) -> str:
    """Return the message with the descriptions from `first` on, as many as fit."""
    count = len(session.panel.widgets)
    items = []
    size = 0
    id = first
    while id < count:
        item = json.dumps(describe(session, id))
        size += len(item) + 2
        if size > _PIECE and items:
            break
        items.append(item)
        id += 1
    text = '{"type": "widgets", "first": %d, "next": %s, "widgets": [%s]}'
    return text % (first, id if id < count else "null", ", ".join(items))


def describe(session, id: int) -> dict:
    """Return the description of one widget, with its current value."""
    session.update(id)
    widget = session.panel.widgets[id]
    found = {widget[at]: widget[at + 1] for at in range(4, len(widget), 2)}
    found["id"] = id
    found["kind"] = widget[0]
    found["label"] = widget[1]
    found["value"] = session.panel.latest[id]
    if id in session.errors:
        found["error"] = session.errors[id]
    return found


def all(session) -> list:
    """Return the descriptions of all widgets."""
    return [describe(session, id) for id in range(len(session.panel.widgets))]
