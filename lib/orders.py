"""What clients of /demo may say, as text or JSON, and what is wrong with all else."""

import json

from wsserver.core.frames import const, validate_utf8

_MOST = const(3200)  # bytes of an order: a message of 1000 characters of up to 3 bytes, and some
_MOST_SAID = const(1000)  # characters
_MOST_NAME = const(32)
_MOST_BRACKETS = const(40)  # each costs the heap more than the byte that it came in

_HELP = (
    "TOGGLE_LED, LED_ON, LED_OFF and stats are understood, and JSON with echo, led, message, name"
    ' or stats, such as {"message": "Hello"} or {"to": 3, "message": "Hello"}'
)


def read(message) -> tuple:
    """(order, value, more) of what a client has sent. ValueError says what is wrong with it.

    order: "echo", "led", "message", "name" or "report". more: to whom a message goes, None for
    all; whether an order for the LED was plain text.
    """
    if not isinstance(message, str):
        raise ValueError("binary is not understood here; " + _HELP)
    if len(message.encode()) > _MOST:
        raise ValueError("at most %d bytes are taken at once" % _MOST)
    text = message.strip()
    if text[:1] == "{":
        return _order(_parse(text))
    word = text.upper()
    if word == "STATS":
        return "report", True, None
    if word in ("TOGGLE_LED", "LED_ON", "LED_OFF"):
        return "led", word.replace("LED", "").replace("_", "").lower(), True
    raise ValueError("%r is not understood; %s" % (text[:20], _HELP))


def _parse(text):
    """A JSON object as a dict."""
    if text.count("{") + text.count("[") > _MOST_BRACKETS:
        raise ValueError("there are more than %d brackets in it" % _MOST_BRACKETS)
    try:
        order = json.loads(text)
    except (ValueError, TypeError):
        raise ValueError("this is not JSON as it should be: %s; %s" % (text[:40], _HELP)) from None
    if "\\u" in text:
        data = json.dumps(order).encode()
        if validate_utf8(data, 0, len(data), 0, 0):
            order = json.loads(_whole(data))
    return order


def _whole(data):
    """The text in which MicroPython's json has left "\\ud83d\\ude00" as two halves of a character,
    which no peer takes for UTF-8, with the character itself.
    """
    whole = bytearray()
    start = 0
    while True:
        at = data.find(b"\xed", start)
        if at < 0:
            break
        whole.extend(data[start:at])
        start = at + 3
        if data[at + 1] > 0x9F:  # the first half; the second is to follow
            if data[at + 1] > 0xAF or data[start] != 0xED or data[at + 4] < 0xB0:
                raise ValueError("\\ud800 to \\udfff are halves of characters: send both")
            start = at + 6
            first = (data[at + 1] & 15) << 16 | (data[at + 2] & 63) << 10
            code = 0x10000 + (first | (data[at + 4] & 15) << 6 | data[at + 5] & 63)
            whole.extend(chr(code).encode())
        else:
            whole.extend(data[at:start])
    whole.extend(data[start:])
    return str(whole, "utf-8")


def _order(order):
    to = order.pop("to", None)
    names = list(order)
    if len(names) != 1 or names[0] not in _CHECKS or to is not None and names[0] != "message":
        raise ValueError("there must be one order in it, not %s; %s" % (_list(names, to), _HELP))
    name = names[0]
    value = _CHECKS[name](order[name])
    if to is not None and (isinstance(to, bool) or not isinstance(to, int)):
        raise ValueError("to: must be the id of a client, a whole number")
    return "report" if name == "stats" else name, value, to


def _list(names, to):
    if to is not None:
        names.append("to")
    return ", ".join([str(name)[:20] for name in names[:6]]) or "none"


def _anything(value):
    return value  # `led` and `stats` check theirs themselves


def _echoed(value):
    if not isinstance(value, (int, str)):  # of other numbers, not all are JSON: inf
        raise ValueError("echo: must be a text or a whole number")
    return value


def _said(value):
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_SAID:
        raise ValueError("message: must be a text of 1 to %d characters" % _MOST_SAID)
    return value


def _named(value):
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < len(name) <= _MOST_NAME or min(name.encode()) < 32:
        text = "name: must be a text of 1 to %d characters, without control characters"
        raise ValueError(text % _MOST_NAME)
    return name


_CHECKS = {
    "echo": _echoed,
    "led": _anything,
    "message": _said,
    "name": _named,
    "stats": _anything,
}
