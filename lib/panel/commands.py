"""Execute the commands of pages and programs. Loaded for one, unloaded soon after the last."""

import gc
import json
from time import ticks_ms

from micropython import const

from wsserver import lazy

from .parse import is_valid, parse_json

_STALE = const(5000)  # ms after which a command with a time is not executed any more
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_MAX_ERROR = const(120)
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
        _execute(session, client, command, number)
        return
    except ValueError as error:
        problem = str(error)
    except MemoryError:
        problem = "out of memory: the command was not executed"
    message = command = None
    gc.collect()
    _refuse(client, number, problem)


def _execute(session, client, command, number):
    if "set" in command:
        _set(session, client, command, number)
        return
    if len(command) != 1:
        raise ValueError(_COMMANDS)
    panel = session.panel
    name, value = command.popitem()
    if name == "describe":
        _check_id(value, len(panel.widgets) + 1)
        client.send(lazy.call("panel.descriptions", "message", session, value))
    elif name == "history" and type(value) is int and value in panel.histories:
        client.send(panel.histories[value].json(value))
    elif name == "view" and isinstance(value, bool):
        session.show(client, value)
    else:
        raise ValueError(_COMMANDS)


def _set(session, client, command, number):
    sent = command.get("at")
    if sent is not None:
        if type(sent) is not int:
            raise ValueError("at: must be a time of the board in ms, an integer")
        age = (ticks_ms() - sent) & _CLOCK
        if _STALE < age <= _CLOCK >> 1:  # else the time is slightly ahead
            text = "this command is stale: it was sent %d s ago"
            raise ValueError(text % (age // 1000))
    id = command["set"]

    def done(_, error):
        if error:
            _refuse(client, number, session.explain(error), id)
        else:
            client.send(_done(id, number))

    try:
        waiting = execute(session, id, command.get("value"), client, done)
    except ValueError as error:
        _refuse(client, number, str(error), id)
        return
    if not waiting:
        client.send(_done(id, number))


def _refuse(client, number, problem, id=None):
    answer = {"type": "error", "error": problem}
    if number is not None:
        answer["n"] = number
    if type(id) is int:
        answer["id"] = id
    client.send(json.dumps(answer))


def _done(id, number):
    return json.dumps({"type": "done", "id": id, "n": number})


def execute(session, id: int, value, client=None, done=None) -> bool:
    """Set a widget to a value. Raises ValueError with a text for the user.

    Return whether it still runs because its function is async; then done(result, error) is
    called at its end.
    """
    panel = session.panel
    widget = panel.widgets[_check_id(id, len(panel.widgets))]
    kind, function = widget[0], widget[3]
    try:
        if hasattr(function, "on_command"):
            function.on_command(client, value)
            return False
        check = _CHECKS.get(kind)
        if not check:
            raise ValueError("this value can only be read")
        new = check(value, {widget[at]: widget[at + 1] for at in range(4, len(widget), 2)})
        result = function() if kind == "button" else function(new)
    except ValueError as error:
        raise ValueError(str(error)[:_MAX_ERROR]) from None
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(session.explain(error)) from None
    if kind != "button" and not widget[2]:
        panel.latest[id] = value
    session.refresh(id)
    if not hasattr(result, "throw"):
        return False

    def end(result, error):
        session.refresh(id)
        if done:
            done(result, error)

    lazy.load("wsserver.coroutines").start(panel.server, result, end)
    return True


# --- the values of commands: each function returns what `set` gets, or raises ValueError


def _check_id(id, count):
    if type(id) is not int or not 0 <= id < count:
        raise ValueError("no widget has the id %r" % (id,))
    return id


def _switch(value, _):
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _slider(value, options):
    low, high = options["minimum"], options["maximum"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise ValueError("must be a number from %s to %s" % (low, high))
    return value


def _select(value, options):
    if value not in options["choices"]:
        raise ValueError("must be one of the choices")
    return value


def _text(value, options):
    if not isinstance(value, str) or len(value) > options["size"] or not is_valid(value):
        raise ValueError("must be a text of at most %d characters" % options["size"])
    return value


def _colour(value, _):
    if not isinstance(value, str) or len(value) != 7 or value[0] != "#":
        raise ValueError("must be a colour such as #ff8000")
    return tuple([int(value[at : at + 2], 16) for at in (1, 3, 5)])


def _button(value, _):
    return None


_CHECKS = {
    "button": _button,
    "colour": _colour,
    "select": _select,
    "slider": _slider,
    "switch": _switch,
    "text": _text,
}
