"""Parse the commands that clients send to /demo, as text or JSON."""

import json

from micropython import const

from wsserver.core.frames import validate_utf8

_MAX_SIZE = const(3200)  # bytes of a command: a message of 1000 characters of 3 bytes, and more
_MAX_MESSAGE = const(1000)  # characters
_MAX_NAME = const(32)
_MAX_BRACKETS = const(40)  # parsing one takes far more than one byte of heap

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
        return _command(_parse_json(text))
    word = text.upper()
    if word == "STATS":
        return "stats", True, None
    if word in ("TOGGLE_LED", "LED_ON", "LED_OFF"):
        return "led", word.replace("LED", "").replace("_", "").lower(), True
    raise ValueError("%r is not a command; %s" % (text[:20], _HELP))


def _parse_json(text):
    """Return a JSON object as a dict."""
    if text.count("{") + text.count("[") > _MAX_BRACKETS:
        raise ValueError("more than %d brackets" % _MAX_BRACKETS)
    try:
        command = json.loads(text)
    except (ValueError, TypeError):
        raise ValueError("invalid JSON: %s; %s" % (text[:40], _HELP)) from None
    if "\\u" in text:
        data = json.dumps(command).encode()
        if validate_utf8(data, 0, len(data), 0, 0):
            command = json.loads(_join_surrogates(data))
    return command


def _join_surrogates(data):
    """Return UTF-8 data as text, with each surrogate pair replaced by its character.

    MicroPython's json leaves "\\ud83d\\ude00" as two surrogates, which are not valid UTF-8.
    Raises ValueError if a surrogate is not part of a pair.
    """
    joined = bytearray()
    start = 0
    while True:
        at = data.find(b"\xed", start)
        if at < 0:
            break
        joined.extend(data[start:at])
        start = at + 3
        if data[at + 1] > 0x9F:  # a high surrogate; a low one must follow
            if data[at + 1] > 0xAF or data[start] != 0xED or data[at + 4] < 0xB0:
                raise ValueError("\\ud800 to \\udfff must be pairs")
            start = at + 6
            first = (data[at + 1] & 15) << 16 | (data[at + 2] & 63) << 10
            code = 0x10000 + (first | (data[at + 4] & 15) << 6 | data[at + 5] & 63)
            joined.extend(chr(code).encode())
        else:
            joined.extend(data[at:start])
    joined.extend(data[start:])
    return str(joined, "utf-8")


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


def _message(value):
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_MESSAGE:
        raise ValueError("message: must be a string of 1 to %d characters" % _MAX_MESSAGE)
    return value


def _name(value):
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < len(name) <= _MAX_NAME or min(name.encode()) < 32:
        text = "name: must be a string of 1 to %d characters without control characters"
        raise ValueError(text % _MAX_NAME)
    return name


_OPTIONS = {"message": "to", "led": "at"}
_OPTION_ERRORS = {
    "message": "to: must be the id of a client, an integer",
    "led": "at: must be a time of the board in ms, an integer",
}
_CHECKS = {
    "echo": _echo,
    "led": _unchecked,
    "message": _message,
    "name": _name,
    "stats": _unchecked,
}
