"""/settings: show and change the settings. The messages are JSON, described in docs/joining.md.

`describe` is loaded only while it reads the file, `settingsfile` while it changes it; both load
the rules for all fields.
"""

import json
import os

from failsafe import UNDO_SETTINGS
from micropython import const

from wsserver import INFO, lazy

PATH = "/config.json"
_COMMANDS = const(
    'the commands are {"show": section}, {"save": {section: {field: value}}}, {"confirm": true}'
    ' and {"do": name}'
)


class SettingsEndpoint:
    """Send and save the settings. Passwords are never sent, only whether they are set."""

    def __init__(self, server):
        self._server = server

    def on_open(self, client) -> None:
        """Send a summary. The page then asks for each section."""
        client.send(lazy.call("admin.describe", "summary"))

    def on_message(self, client, message) -> None:
        """Execute a command of _COMMANDS."""
        try:
            command = json.loads(message)
            if "show" in command:
                client.send(lazy.call("admin.describe", "section", command["show"]))
                return
            if "do" in command:
                lazy.call("admin.maintenance", "execute", self._server, client, command)
                return
            wanted = command.get("save")
            if wanted is None and command["confirm"] is True:
                lazy.call("admin.confirm", "confirm_settings")
                _send(client, type="confirmed")
                return
            for values in wanted.values():
                values.items()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _error(client, str(error) if "maintenance" in str(error) else _COMMANDS)
            return
        except OSError as error:
            _error(client, "the flash cannot be used: %s" % error)
            return
        message = command = None  # this memory may be needed below
        self._save(client, wanted)

    def _save(self, client, wanted):
        try:
            problems = lazy.call("admin.settingsfile", "save", wanted)
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
        _send(client, type="saved", confirm=int(unconfirmed()))
        lazy.load("admin.restart").soon(self._server)

    def on_close(self, client, code: int, reason: str) -> None:
        """Do nothing: the endpoint has no state per client."""


endpoint = SettingsEndpoint  # LazyEndpoint calls this


def _send(client, **message):
    client.send(json.dumps(message))


def _error(client, text):
    _send(client, type="error", error=text)


def unconfirmed():
    """Return the seconds in the name of /config.undo-S, or None if nothing is unconfirmed."""
    for name in os.listdir("/"):
        if name.startswith(UNDO_SETTINGS) and not name.endswith(".new"):
            return name[len(UNDO_SETTINGS) :]
    return None


def by_field(problems: list) -> dict:
    """Return problems of the settings as {field: text}; the key "" is for the whole file."""
    found = {}
    for problem in problems:
        name, _, text = problem.partition(": ")
        if " " in name:  # about the whole file
            name, text = "", problem
        found[name] = text.split("; using ")[0]
    return found
