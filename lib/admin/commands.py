"""Commands of the settings page: save, confirm, maintenance without a state. Loaded for one."""

import json

from micropython import const

from wsserver import INFO, lazy
from wsserver.log import describe

from .describe import unconfirmed

_COMMANDS = const(
    'the commands are {"show": section}, {"save": {section: {field: value}}}, {"confirm": true}'
    ' and {"do": name}'
)


def execute(server, client, command) -> None:
    """Execute a command.

    Raises ValueError with a text for the page, and OSError if the flash cannot be used.
    """
    try:
        if "do" in command:
            lazy.call("admin.maintenance", "execute", server, client, command)
            return
        wanted = command.get("save")
        if wanted is None and command["confirm"] is True:
            lazy.call("admin.confirm", "confirm_settings")
            _send(client, type="confirmed")
            return
        for values in wanted.values():
            values.items()
    except (TypeError, KeyError, AttributeError):
        raise ValueError(_COMMANDS) from None
    if not any(wanted.values()):
        raise ValueError("save: there are no changes to save")
    _save(server, client, wanted, command.get("version"))


def _save(server, client, wanted, version):
    try:
        if version is not None and version != lazy.call("admin.describe", "version"):
            _send(client, type="changed")
            return
        problems = lazy.call("admin.settingsfile", "save", wanted)
    except MemoryError:
        raise ValueError("out of memory: nothing is changed") from None
    except OSError as error:
        text = "the settings cannot be written (%s): nothing is changed"
        raise ValueError(text % describe(error)) from None
    if problems:
        _send(client, type="problems", problems=problems)
        return
    names = ["%s.%s" % (section, field) for section in wanted for field in wanted[section]]
    text = "settings: %s changed by %s; restarting"
    server.log(INFO, text % (", ".join(sorted(names)), client.address[0]))
    _send(client, type="saved", confirm=int(unconfirmed() or 0))
    lazy.load("admin.restart").soon(server)


def _send(client, **message):
    client.send(json.dumps(message))
