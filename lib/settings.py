"""config.json -> settings that can be relied on: every field is there, and within its range.

What is wrong with the file costs only the fields concerned: they get their defaults, and a line on
serial says so. A broken file never keeps the board from starting.
"""

import errno
import gc
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
        try:
            _loaded, problems = _validated(path)
        except MemoryError:  # a few KB of brackets are enough
            pass
        if _loaded is None:
            gc.collect()  # only here, outside of `except`, does nothing hold on to what was read
            _loaded = validate({})[0]
            problems = ["is too much for the memory; using defaults: correct it or remove it"]
        for text in problems:
            log("%s: %s" % (path, text))
    return _loaded


def validate(raw) -> tuple:
    """(settings, problems) of what a config.json holds; a problem is a sentence about a field."""
    import fields

    result = fields.validate(raw)
    # The code for this takes more of the heap than all settings together, and is needed once.
    del sys.modules["fields"]
    return result


def _validated(path):
    raw, problem = _read(path)
    settings, problems = validate(raw)
    return settings, [problem] if problem else problems


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
        # Editors on Windows begin a file with a byte order mark.
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        return json.loads(str(data[start:], "utf-8")), None
    except (ValueError, UnicodeError):
        return {}, "is not JSON, or cut off; using defaults: correct it or remove it"
