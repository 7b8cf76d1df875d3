"""Parse the JSON of clients, which may be hostile."""

import json

from micropython import const

from wsserver.core.frames import validate_utf8

_MAX_SIZE = const(3200)  # bytes: a message of 1000 characters of 3 bytes, and more
_MAX_BRACKETS = const(40)  # parsing one takes far more than one byte of heap


def parse_json(text) -> dict:
    """Return a JSON object as a dict. Raises ValueError with a text for the client."""
    if not isinstance(text, str):
        raise ValueError("binary messages are not supported")
    if len(memoryview(text)) > _MAX_SIZE:
        raise ValueError("a command has at most %d bytes" % _MAX_SIZE)
    if text.count("{") + text.count("[") > _MAX_BRACKETS:
        raise ValueError("more than %d brackets" % _MAX_BRACKETS)
    try:
        command = json.loads(text)
        if not isinstance(command, dict):
            raise TypeError
    except (ValueError, TypeError):
        raise ValueError("invalid JSON: %s" % text[:40]) from None
    if "\\u" in text:
        data = json.dumps(command).encode()
        if validate_utf8(data, 0, len(data), 0, 0):
            command = json.loads(_join_surrogates(data))
    return command


def is_valid(text: str) -> bool:
    """Return whether a text is valid UTF-8."""
    data = text.encode()
    return not validate_utf8(data, 0, len(data), 0, 0)


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
