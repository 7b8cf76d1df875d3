"""/settings: shows the admin the settings, and changes them. Loaded while somebody is there.

Texts of JSON; docs/joining.md has them all.
"""

import json

import change

from wsserver import INFO
from wsserver.lazy import load

_SECRETS = (("wifi", "password"), ("wifi", "station_password"), ("admin", "password"))


class Desk:
    """The endpoint. Passwords are never sent, only what is known of them."""

    def __init__(self, server):
        self._server = server

    def on_open(self, client) -> None:
        """Tell the settings, and what is wrong with the file."""
        settings, problems = change.look()
        secrets = {}
        for section, field in _SECRETS:
            value = settings[section].pop(field)
            secrets["%s.%s" % (section, field)] = (
                "generated" if value is None else "set" if value else "none"
            )
        _tell(client, type="settings", settings=settings, secrets=secrets, problems=problems)

    def on_message(self, client, message) -> None:
        """{"save": {section: {field: value}}}: change these fields, and restart the board."""
        try:
            wanted = json.loads(message)["save"]
            for values in wanted.values():
                values.items()
        except (ValueError, TypeError, KeyError, AttributeError):
            _tell(client, type="error", error='only {"save": {section: {field: value}}} is known')
            return
        try:
            problems = change.save(wanted)
        except MemoryError:
            _tell(
                client, type="error", error="the board has no memory for this: nothing is changed"
            )
            return
        except OSError as error:
            text = "the board cannot write its settings (%s): nothing is changed" % error
            _tell(client, type="error", error=text)
            return
        if problems:
            _tell(client, type="problems", problems=problems)
            return
        names = ["%s.%s" % (section, field) for section in wanted for field in wanted[section]]
        text = "settings: %s changed by %s; restarting"
        self._server.log(INFO, text % (", ".join(sorted(names)), client.address[0]))
        _tell(client, type="saved")
        load("restart").soon(self._server)

    def on_close(self, client, code: int, reason: str) -> None:
        """Nothing is kept of who was here."""


def endpoint(server):
    """For LazyEndpoint."""
    return Desk(server)


def _tell(client, **message):
    client.send(json.dumps(message))
