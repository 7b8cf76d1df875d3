"""/settings: show and change the settings. The messages are JSON, described in docs/joining.md."""

import errno
import gc
import json
import os

from failsafe import UNDO_SETTINGS
from micropython import const

from config import atomic, loader, schema
from wsserver import INFO, lazy

_PATH = const("/config.json")
_SECRETS = const((("wifi", "password"), ("wifi", "station_password"), ("admin", "password")))
_COMMANDS = const('the commands are {"save": {section: {field: value}}} and {"confirm": true}')
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
    "limits": {"connections": 4, "handshakes": 20, "messages": 5, "bytes": 8192},
}
_COPY = const(512)  # bytes at a time


class SettingsEndpoint:
    """Send and save the settings. Passwords are never sent, only whether they are set."""

    def __init__(self, server):
        self._server = server

    def on_open(self, client) -> None:
        """Send the settings, one message per section, and the problems of the file."""
        settings, problems = look()
        secrets = {}
        for section, field in _SECRETS:
            value = settings[section].pop(field)
            secrets["%s.%s" % (section, field)] = (
                "generated" if value is None else "set" if value else "none"
            )
        while settings:
            section, values = settings.popitem()
            _send(client, type="section", section=section, values=values)
        _send(
            client,
            type="settings",
            secrets=secrets,
            problems=problems,
            unconfirmed=_unconfirmed() is not None,
        )

    def on_message(self, client, message) -> None:
        """Execute {"save": {section: {field: value}}} or {"confirm": true}."""
        try:
            command = json.loads(message)
            wanted = command.get("save")
            if wanted is None and command["confirm"] is True:
                lazy.call("admin.confirm", "confirm_settings")
                _send(client, type="confirmed")
                return
            for values in wanted.values():
                values.items()
        except (ValueError, TypeError, KeyError, AttributeError):
            _error(client, _COMMANDS)
            return
        message = command = None  # this memory may be needed below
        self._save(client, wanted)

    def _save(self, client, wanted):
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
        _send(client, type="saved", confirm=int(_unconfirmed()))
        lazy.load("admin.restart").soon(self._server)

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
    after = before = None
    pieces = _pieces(raw)
    if sum(len(piece) for piece in pieces) > loader.MAX_BYTES:
        return {"": "all settings together are over %d bytes long" % loader.MAX_BYTES}
    _keep_old(path, _CONFIRM_WIFI if "wifi" in wanted else _CONFIRM)
    if broken:
        try:
            os.rename(path, path + ".broken")  # the user may want to repair it
        except OSError:
            pass  # it does not exist
    atomic.write(path, lambda: pieces)
    return {}


def _keep_old(path, seconds):
    """Copy the settings to /config.undo-S, unless it has those before an unconfirmed change."""
    now = _unconfirmed()
    name = "/" + UNDO_SETTINGS
    if now is None:
        atomic.write(name + str(seconds), lambda: _content(path))
    elif int(now) < seconds:
        os.rename(name + now, name + str(seconds))


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


def _unconfirmed():
    """Return the seconds in the name of /config.undo-S, or None if nothing is unconfirmed."""
    for name in os.listdir("/"):
        if name.startswith(UNDO_SETTINGS) and not name.endswith(".new"):
            return name[len(UNDO_SETTINGS) :]
    return None


def _check_minimum(wanted, problems):
    for section, minimums in _MINIMUM.items():
        for field, value in wanted.get(section, {}).items():
            minimum = minimums.get(field, 0)
            if isinstance(value, (int, float)) and value < minimum:
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
