"""/settings: show and change the settings. The messages are JSON, described in docs/joining.md."""

import gc
import json
import os

from config import atomic, loader, schema
from wsserver import INFO
from wsserver.room import load

_PATH = "/config.json"
_SECRETS = (("wifi", "password"), ("wifi", "station_password"), ("admin", "password"))
# With less, the settings page would no longer work, so the change could not be undone.
_MINIMUM = (("server", "max_size", 1024), ("server", "write_limit", 4096))


class SettingsEndpoint:
    """Passwords are never sent, only whether there is one."""

    def __init__(self, server):
        self._server = server

    def on_open(self, client) -> None:
        """Send the settings and the problems of the file."""
        settings, problems = look()
        secrets = {}
        for section, field in _SECRETS:
            value = settings[section].pop(field)
            secrets["%s.%s" % (section, field)] = (
                "generated" if value is None else "set" if value else "none"
            )
        _send(client, type="settings", settings=settings, secrets=secrets, problems=problems)

    def on_message(self, client, message) -> None:
        """{"save": {section: {field: value}}}: change these fields and restart the board."""
        try:
            wanted = json.loads(message)["save"]
            for values in wanted.values():
                values.items()
        except (ValueError, TypeError, KeyError, AttributeError):
            _error(client, 'the only command is {"save": {section: {field: value}}}')
            return
        try:
            problems = save(wanted)
        except MemoryError:
            _error(client, "out of memory: nothing is changed")
            return
        except OSError as error:
            _error(client, "the settings cannot be written (%s): nothing is changed" % error)
            return
        if problems:
            _send(client, type="problems", problems=problems)
            return
        names = ["%s.%s" % (section, field) for section in wanted for field in wanted[section]]
        text = "settings: %s changed by %s; restarting"
        self._server.log(INFO, text % (", ".join(sorted(names)), client.address[0]))
        _send(client, type="saved")
        load("admin.restart", "").soon(self._server)

    def on_close(self, client, code: int, reason: str) -> None:
        """Do nothing: the endpoint has no state per client."""


endpoint = SettingsEndpoint  # LazyEndpoint calls this


def _send(client, **message):
    client.send(json.dumps(message))


def _error(client, text):
    _send(client, type="error", error=text)


# --- the file


def _validate(raw):
    return schema.validate(raw, loader.has_large_heap())


def look(path: str = _PATH) -> tuple:
    """Return (the settings of the file, its problems as {field: text})."""
    raw, problem = loader.read_raw(path)
    settings, problems = _validate(raw)
    return settings, _by_field([problem] if problem else problems)


def save(wanted: dict, path: str = _PATH) -> dict:
    """Change the fields {section: {field: value}}; everything else in the file stays.

    Returns problems as {field: text}. If there are any, the file stays unchanged.
    Raises OSError if the file cannot be written; it stays unchanged then, too.
    """
    raw, broken = loader.read_raw(path)
    before = _by_field(_validate(raw)[1])
    gc.collect()
    raw = raw if isinstance(raw, dict) else {}
    for section, values in wanted.items():
        if not isinstance(raw.get(section), dict):
            raw[section] = {}
        raw[section].update(values)
    after = _by_field(_validate(raw)[1])
    # Old problems of other fields do not prevent a change.
    problems = {
        name: text
        for name, text in after.items()
        if before.get(name) != text or _touches(wanted, name)
    }
    _check_minimum(wanted, problems)
    if problems:
        return problems
    pieces = _pieces(raw)
    if sum(len(piece) for piece in pieces) > loader.MAX_BYTES:
        return {"": "all settings together are over %d bytes long" % loader.MAX_BYTES}
    if broken:
        try:
            os.rename(path, path + ".broken")  # the user may want to repair it
        except OSError:
            pass  # it does not exist
    atomic.write(path, lambda: pieces)
    return {}


def _check_minimum(wanted, problems):
    for section, field, minimum in _MINIMUM:
        value = wanted.get(section, {}).get(field)
        if isinstance(value, int) and value < minimum:
            text = "must be at least %d, because this page needs it" % minimum
            problems.setdefault("%s.%s" % (section, field), text)


def _by_field(problems):
    found = {}
    for problem in problems:
        name, _, text = problem.partition(": ")
        if " " in name:  # about the whole file
            name, text = "", problem
        found[name] = text.split("; using ")[0]
    return found


def _touches(wanted, name):
    section, _, field = name.partition(".")
    return section in wanted and (not field or field in wanted[section])


def _pieces(raw):
    """Return the JSON as small pieces, with one line per section."""
    pieces = [b"{"]
    before = b"\n"
    for name in sorted(raw):
        pieces += (before, json.dumps(name).encode(), b": ", json.dumps(raw[name]).encode())
        before = b",\n"
    return pieces + [b"\n}\n"]
