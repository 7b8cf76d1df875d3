"""Change config.json for the settings page. Loaded for one call of `save`."""

import errno
import gc
import json
import os

from failsafe import UNDO_SETTINGS
from micropython import const

from config import atomic, configfile, loader, schema

from .describe import by_field, unconfirmed
from .settings import PATH

# Seconds after which a change that the page has not confirmed is reverted. After a change of the
# network, the user has to join another one first.
_CONFIRM = const(120)
_CONFIRM_WIFI = const(600)
# The page needs at least this: with less, it could not be used to undo the change.
_MINIMUM = {
    "server": {
        "max_clients": 2,
        "max_size": 1024,
        "write_limit": 4096,
        "max_head": 1024,
        "ping_interval": 1,
        "ping_timeout": 2,
        "close_timeout": 1,
        "open_timeout": 5,
    },
    "limits": {"connections": 4, "handshakes": 20},
}
_COPY = const(512)  # bytes at a time


def _validate(raw):
    return schema.validate(raw, loader.has_large_heap())


def check(wanted: dict, path: str = PATH) -> dict:
    """Return the problems that saving these fields would have, as {field: text}."""
    return _change(wanted, path)[1]


def save(wanted: dict, path: str = PATH) -> dict:
    """Change the fields {section: {field: value}}; everything else in the file stays.

    Returns problems as {field: text}. If there are any, the file stays unchanged.
    Raises OSError if the file cannot be written; it stays unchanged then, too.
    """
    raw, problems, broken = _change(wanted, path)
    if problems:
        return problems
    content = pieces(raw)
    if sum(len(piece) for piece in content) > configfile.MAX_BYTES:
        return {"": "all settings together are over %d bytes long" % configfile.MAX_BYTES}
    if not _disables_admin(wanted):
        _keep_old(path, _CONFIRM_WIFI if "wifi" in wanted else _CONFIRM)
    if broken:
        try:
            os.rename(path, path + ".broken")  # the user may want to repair it
        except OSError:
            pass  # it does not exist
    atomic.write(path, lambda: content)
    return {}


def _change(wanted, path):
    """Return (the changed content, the problems of the change, whether the file is broken)."""
    raw, broken = configfile.read_raw(path)
    before = by_field(_validate(raw)[1])
    gc.collect()
    for section, values in wanted.items():
        if not isinstance(raw.get(section), dict):
            raw[section] = {}
        raw[section].update(values)
    after = by_field(_validate(raw)[1])
    # Old problems of other fields do not prevent a change.
    problems = {
        name: text
        for name, text in after.items()
        if before.get(name) != text or _touches(wanted, name)
    }
    _check_minimum(wanted, problems)
    if _disables_admin(wanted) and (len(wanted) > 1 or len(wanted["admin"]) > 1):
        problems["admin.enabled"] = "must be changed alone: no page can confirm the other changes"
    return raw, problems, broken


def _disables_admin(wanted):
    return wanted.get("admin", {}).get("enabled") is False


def _keep_old(path, seconds):
    """Copy the settings to /config.undo-S, unless it already has older ones to revert to."""
    now = unconfirmed()
    name = "/" + UNDO_SETTINGS
    if now is None:
        atomic.write(name + str(seconds), lambda: _content(path))
    else:
        # Without the 0 that failsafe.rollback puts before it: this is the latest change now.
        seconds = str(max(int(now), seconds))
        if now != seconds:
            os.rename(name + now, name + seconds)


def _content(path):
    """Yield a file in small pieces, or an empty JSON object if there is no file."""
    try:
        with open(path, "rb") as file:
            while True:
                piece = file.read(_COPY)
                if not piece:
                    return
                yield piece
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    yield b"{}"


def _check_minimum(wanted, problems):
    for section, minimums in _MINIMUM.items():
        for field, value in wanted.get(section, {}).items():
            minimum = minimums.get(field, 0)
            if isinstance(value, (int, float)) and value < minimum:
                text = "must be at least %d, because this page needs it" % minimum
                problems.setdefault("%s.%s" % (section, field), text)


def _touches(wanted, name):
    section, _, field = name.partition(".")
    return section in wanted and (not field or field in wanted[section])


def pieces(raw: dict) -> list:
    """Return the JSON as small pieces, with one line per section."""
    found = [b"{"]
    before = b"\n"
    for name in sorted(raw):
        found += (before, json.dumps(name).encode(), b": ", json.dumps(raw[name]).encode())
        before = b",\n"
    return found + [b"\n}\n"]
