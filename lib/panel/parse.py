"""Parse the JSON of clients, which may be hostile, and check the texts of errors."""

import json

from micropython import const

from wsserver import lazy
from wsserver.core.frames import validate_utf8

# Bytes of a command: a text of 500 characters of 4 bytes. One of 3,000 takes memory of TLS.
_MAX_SIZE = const(2200)
_MAX_ERROR = const(120)  # characters
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
            command = json.loads(lazy.call("panel.surrogates", "join", data))
    return command


def is_valid(text: str) -> bool:
    """Return whether a text is valid UTF-8."""
    data = text.encode()
    return not validate_utf8(data, 0, len(data), 0, 0)


def valid(error: str) -> str:
    """Return the text of an error, or if it is not valid UTF-8, what comes before the colon."""
    return error if is_valid(error) else error.split(":")[0]


def explain(error) -> str:
    """Return a text about an exception of the application."""
    return valid(("%s: %s" % (type(error).__name__, error))[:_MAX_ERROR])
