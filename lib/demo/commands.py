"""Parse the commands that clients send to /demo, as text or JSON."""

from micropython import const
from panel.parse import parse_json

from .chat import check_id, check_message, check_name

_MAX_SIZE = const(2200)  # bytes of a command, as in panel.parse

# The commands, and the option of each.
_OPTIONS = {"echo": None, "led": "at", "message": "to", "name": None, "stats": None}
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
    name = names[0] if len(names) == 1 else ""
    extra = [option for option in ("to", "at") if command.get(option) is not None]
    if name not in _OPTIONS or extra and extra != [_OPTIONS[name]]:
        given = ", ".join([str(name)[:20] for name in (names + extra)[:6]]) or "none"
        raise ValueError("expected one command, not %s; %s" % (given, _HELP))
    value = command[name]  # `led` and `stats` check theirs
    if name == "echo" and not isinstance(value, (int, str)):  # some floats are not JSON: inf
        raise ValueError("echo: must be a string or an integer")
    if name == "message":
        check_message(value)
    if name == "name":
        value = check_name(value)
    option = command[extra[0]] if extra else None
    if name == "led":
        check_id(option, "at: must be a time of the board in ms, an integer")
    else:
        check_id(option)
    return name, value, option
