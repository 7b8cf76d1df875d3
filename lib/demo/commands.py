"""Parse the commands that clients send to /demo, as text or JSON."""

from micropython import const
from panel.parse import parse_json

from .chat import check_message, check_name

_MAX_SIZE = const(3200)  # bytes of a command, as in panel.parse

_HELP = const(
    "commands are TOGGLE_LED, LED_ON, LED_OFF and stats, and JSON with echo, led, message, name"
    ' or stats, such as {"message": "Hello"} or {"to": 3, "message": "Hello"}'
)


def parse(message) -> tuple:
    """Return (name, value, option) of a command.

    name: "echo", "led", "message", "name" or "stats". option: for a message, the receiver's
    id, or None for all; for an LED command, True if it was plain text, else its time or None.
    Raises ValueError with a text for the client if the command is invalid.
    """
    if not isinstance(message, str):
        raise ValueError("binary messages are not supported; " + _HELP)
    if len(memoryview(message)) > _MAX_SIZE:
        raise ValueError("a command has at most %d bytes" % _MAX_SIZE)
    text = message.strip()
    if text[:1] == "{":
        try:
            command = parse_json(text)
        except ValueError as error:
            raise ValueError("%s; %s" % (error, _HELP)) from None
        return _command(command)
    word = text.upper()
    if word == "STATS":
        return "stats", True, None
    if word in ("TOGGLE_LED", "LED_ON", "LED_OFF"):
        return "led", word.replace("LED", "").replace("_", "").lower(), True
    raise ValueError("%r is not a command; %s" % (text[:20], _HELP))


def _command(command):
    names = [name for name in command if name not in ("to", "at")]
    name = names[0] if len(names) == 1 else None
    extra = [option for option in ("to", "at") if command.get(option) is not None]
    if name not in _CHECKS or extra and extra != [_OPTIONS.get(name)]:
        raise ValueError("expected one command, not %s; %s" % (_list(names + extra), _HELP))
    value = _CHECKS[name](command[name])
    option = command[extra[0]] if extra else None
    if isinstance(option, bool) or not isinstance(option, (int, type(None))):
        raise ValueError(_OPTION_ERRORS[name])
    return name, value, option


def _list(names):
    return ", ".join([str(name)[:20] for name in names[:6]]) or "none"


def _unchecked(value):
    return value  # `led` and `stats` check their values


def _echo(value):
    if not isinstance(value, (int, str)):  # some floats are not JSON: inf
        raise ValueError("echo: must be a string or an integer")
    return value


_OPTIONS = {"message": "to", "led": "at"}
_OPTION_ERRORS = {
    "message": "to: must be the id of a client, an integer",
    "led": "at: must be a time of the board in ms, an integer",
}
_CHECKS = {
    "echo": _echo,
    "led": _unchecked,
    "message": check_message,
    "name": check_name,
    "stats": _unchecked,
}
