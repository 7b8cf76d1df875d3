"""config.json -> settings that can be relied on: every field is there, and within its range.

What is wrong with the file costs only the fields concerned: they get their defaults, and a line on
serial says so. A broken file never keeps the board from starting.
"""

import errno
import json
import sys

_MOST_BYTES = 4096  # of config.json

_loaded = None


def load(path: str = "/config.json", log=print) -> dict:
    """The settings as {section: {field: value}}; what is wrong with the file goes to log(text).

    The file is read once: later calls give the same settings.
    """
    global _loaded
    if _loaded is None:
        raw, problem = _read(path)
        _loaded, problems = validate(raw)
        for text in [problem] if problem else problems:
            log("%s: %s" % (path, text))
    return _loaded


def validate(raw) -> tuple:
    """(settings, problems) of what a config.json holds; a problem is a sentence about a field."""
    import fields

    result = fields.validate(raw)
    # The code for this takes more of the heap than all settings together, and is needed once.
    del sys.modules["fields"]
    return result


def _read(path):
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        if error.errno == errno.ENOENT:  # no file: how every board begins
            return {}, None
        return {}, "cannot be read (%s); using defaults" % error
    if len(data) > _MOST_BYTES:
        return {}, "is over %d bytes long; using defaults" % _MOST_BYTES
    try:
        return json.loads(str(data, "utf-8")), None
    except (ValueError, UnicodeError):
        return {}, "is not JSON, or cut off; using defaults: correct it or remove it"
