"""Reads config.json, whatever is in it. Only needed while settings are read: see `settings`."""

import errno
import gc
import json

from fields import validate

_MOST_BYTES = 4096


def read(path: str, log) -> dict:
    """The valid settings that the file stands for; log(text) gets what is wrong with it."""
    settings = None
    try:
        settings, problems = _validated(path)
    except MemoryError:  # a few KB of brackets are enough
        pass
    if settings is None:
        gc.collect()  # only here, outside of `except`, does nothing hold on to what was read
        settings = validate({})[0]
        problems = ["is too much for the memory; using defaults: correct it or remove it"]
    for text in problems:
        log("%s: %s" % (path, text))
    return settings


def _validated(path):
    raw, problem = _read(path)
    settings, problems = validate(raw)
    return settings, [problem] if problem else problems


def _read(path):
    """(what the file holds, what is wrong with it): {} when it is not there, or of no use."""
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
