"""Reads config.json, whatever is in it. Only needed while settings are read: see `settings`."""

import errno
import gc
import json

from fields import validate

MOST_BYTES = 4096
_DEEPEST = 8  # brackets in brackets; settings need three


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
    raw, problem = read_raw(path)
    settings, problems = validate(raw)
    return settings, [problem] if problem else problems


def read_raw(path):
    """(what the file holds, what is wrong with it): {} when it is not there, or of no use."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            # No more than there is: so much at once may not be free.
            data = file.read(min(size, MOST_BYTES + 1))
    except OSError as error:
        if error.errno == errno.ENOENT:  # no file: how every board begins
            return {}, None
        return {}, "cannot be read (%s); using defaults" % error
    if len(data) > MOST_BYTES:
        return {}, "is over %d bytes long; using defaults" % MOST_BYTES
    if _depth(data) > _DEEPEST:
        # json.load() would fill the heap with them.
        return {}, "is nested too deeply; using defaults: correct it or remove it"
    try:
        # Editors on Windows begin a file with a byte order mark.
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        return json.loads(str(data[start:], "utf-8")), None
    except (ValueError, UnicodeError):
        return {}, "is not JSON, or cut off; using defaults: correct it or remove it"


def _depth(data):
    """How deep brackets stand in brackets, those in texts not counted."""
    if data.count(b"[") + data.count(b"{") <= _DEEPEST:
        return 0
    depth = deepest = 0
    quoted = escaped = False
    for byte in data:
        if quoted:
            quoted = escaped or byte != 34
            escaped = not escaped and byte == 92
        elif byte == 34:
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(depth, deepest)
        elif byte in b"]}":
            depth -= 1
    return deepest
