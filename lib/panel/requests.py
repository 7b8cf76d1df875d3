"""Answer the messages of pages. Loaded for one, unloaded soon after the last."""

import gc
import json

from micropython import const

from wsserver import lazy

from .parse import parse_json

_COMMANDS = const("the commands are describe, history, set and view")


def receive(session, client, message) -> None:
    """Execute a message of a page, and answer it."""
    number = None
    try:
        command = parse_json(message)
        message = None  # this memory may be needed below
        number = command.pop("n", None)
        if number is not None and type(number) is not int:
            number = None
            raise ValueError("n: must be an integer")
        if "set" in command:
            session.load("panel.commands").receive(session, client, command, number)
        else:
            _execute(session, client, command)
        return
    except ValueError as error:
        problem = str(error)
    except MemoryError:
        problem = "out of memory: the command was not executed"
    message = command = None
    gc.collect()
    refuse(client, number, problem)


def _execute(session, client, command):
    if len(command) != 1:
        raise ValueError(_COMMANDS)
    name, value = command.popitem()
    if name == "describe":
        check(value, len(session.latest) + 1)
        client.send(lazy.call("panel.pages", "message", session, value))
    elif name == "history" and type(value) is int and value in session.histories:
        client.send(session.histories[value].json(value))
    elif name == "view" and isinstance(value, bool):
        _view(session, client, value)
    else:
        raise ValueError(_COMMANDS)


def _view(session, client, visible):
    """Send values only while a page is visible; begin with all of them."""
    session.pages[client] = visible
    if not visible:
        return
    ids = []
    for id, widget in enumerate(session.widgets()):
        session.update(id)
        if id not in session.errors and widget[0] != "button":
            ids.append(id)
    session.send(ids, client)


def check(id, count: int) -> int:
    """Return an id. Raises ValueError if there is no such widget."""
    if type(id) is not int or not 0 <= id < count:
        raise ValueError("no widget has the id %r" % (id,))
    return id


def refuse(client, number, problem: str, id=None) -> None:
    """Answer a command with an error."""
    answer = {"type": "error", "error": problem}
    if number is not None:
        answer["n"] = number
    if type(id) is int:
        answer["id"] = id
    client.send(json.dumps(answer))
