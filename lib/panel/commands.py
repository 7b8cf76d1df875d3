"""Set widgets to new values. Loaded for a command, unloaded soon after the last."""

import json
from binascii import unhexlify
from time import ticks_ms

from micropython import const

from wsserver import ERROR, lazy

from .parse import explain, is_valid
from .requests import check, refuse

_STALE = const(5000)  # ms after which a command with a time is not executed any more
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_MAX_ERROR = const(120)
_KINDS = const(("button", "colour", "select", "slider", "switch", "text"))


def receive(session, client, command: dict, number) -> None:
    """Execute a command of a page, and answer it. Raises ValueError if its time is wrong."""
    sent = command.get("at")
    if sent is not None:
        if type(sent) is not int:
            raise ValueError("at: must be a time of the board in ms, an integer")
        age = (ticks_ms() - sent) & _CLOCK
        if _STALE < age <= _CLOCK >> 1:  # else the time is slightly ahead
            text = "this command is stale: it was sent %d s ago"
            raise ValueError(text % (age // 1000))
    id = command["set"]
    try:
        waits = execute(session, id, command.get("value"), client, number)
    except ValueError as error:
        refuse(client, number, str(error), id)
        return
    if not waits:
        _answer(client, number, id)


def execute(session, id: int, value, client=None, number=None) -> bool:
    """Set a widget to a value. Raises ValueError with a text for the user.

    Return whether it still runs because its function is async; the client is answered at its end.
    """
    widget = session.widgets()[check(id, len(session.latest))]
    kind = widget[0]
    try:
        if kind not in _KINDS:
            found = widget[3]
            if isinstance(found, str):
                found = session.load(found).endpoint(session.server)
            if not hasattr(found, "on_command"):
                raise ValueError("this value can only be read")
            found.on_command(client, value)
            return False
        options = {widget[at]: widget[at + 1] for at in range(4, len(widget), 2)}
        new = _check(kind, value, options)
        function, args = _find(session, widget[3])
        result = function(*args) if kind == "button" else function(*args, new)
        waits = hasattr(result, "throw")
        if waits:
            lazy.load("panel.coroutines").check(result)
    except ValueError as error:
        raise ValueError(str(error)[:_MAX_ERROR]) from None
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(explain(error)) from None
    if kind != "button" and not widget[2]:
        session.latest[id] = value
    _refresh(session, id, kind)
    if waits:
        lazy.load("panel.coroutines").start(session, result, id, kind, client, number)
    return waits


def end(session, error, id: int, kind: str, client, number) -> None:
    """Show the value after an async function has ended, and answer its command."""
    _refresh(session, id, kind)
    if not error:
        _answer(client, number, id)
    elif client:
        refuse(client, number, explain(error), id)
    else:
        session.server.log(ERROR, "panel: " + explain(error))


def _answer(client, number, id):
    if client:  # else it is the command of a program
        client.send(json.dumps({"type": "done", "id": id, "n": number}))


def _refresh(session, id, kind):
    """Read a value after a command, and send it to all pages."""
    session.update(id)
    session.send(() if id in session.errors or kind == "button" else (id,))


def _find(session, found):
    """Return (function, its first arguments) of what sets a widget."""
    if callable(found):
        return found, ()
    first = found[0]
    return (session.load(first).set if isinstance(first, str) else first), found[1:]


def _check(kind, value, options):
    """Return what `set` of a widget gets for the value of a command. Raises ValueError."""
    if kind == "button":
        return None
    if kind == "switch":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
    elif kind == "slider":
        low, high = options["minimum"], options["maximum"]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise ValueError("must be a number from %s to %s" % (low, high))
    elif kind == "select":
        if value not in options["choices"]:
            raise ValueError("must be one of the choices")
    elif kind == "text":
        size = options["size"]
        if not isinstance(value, str) or len(value) > size or not is_valid(value):
            raise ValueError("must be a text of at most %d characters" % size)
    else:
        return _colour(value)
    return value


def _colour(value):
    """Return the three numbers of a colour. Raises ValueError."""
    try:
        if isinstance(value, str) and len(value) == 7 and value[0] == "#":
            return tuple(unhexlify(value[1:]))  # int() would take "-1" and "+1"
    except ValueError:
        pass
    raise ValueError("must be a colour such as #ff8000")
