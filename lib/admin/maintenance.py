"""Maintenance for the settings page: crash log, configuration, restart, resets. Loaded for a call.

Each command is {"do": name}; docs/joining.md lists them.
"""

import errno
import json
import os

from failsafe import UNDO_SETTINGS
from micropython import const

from wsserver import INFO, lazy

_PIECE = const(800)  # bytes of a file in a message: JSON can double their number
_LOGS = ("/crash.log", "/crash.old")
_STATE = ("/config.json", "/config.json.broken", "/secrets.json", "/join.reason") + _LOGS
_WIFI = {"mode": "ap", "station_ssid": "", "station_password": ""}


def execute(server, client, command: dict) -> None:
    """Execute a command of the admin, and answer it. Raises ValueError if it is unknown."""
    name = command.get("do")
    if name == "crashlog":
        _send_piece(client, name, _LOGS[0], command.get("from", 0))
    elif name == "config":
        _send_piece(client, name, "/config.json", command.get("from", 0))
    elif name == "restart":
        _restart(server, client, name)
    elif name == "forget":
        problems = lazy.call("admin.settingsfile", "save", _without_wifi())
        if problems:
            raise ValueError(str(problems))
        lazy.call("admin.confirm", "confirm_settings")
        _restart(server, client, name)
    elif name == "reset":
        _remove_state()
        _restart(server, client, name)
    else:
        text = "the maintenance commands are config, crashlog, files, forget, log, reset, restart"
        raise ValueError(text)


def _send_piece(client, name, path, start):
    """Send a piece of a file, and where the next one begins. A missing file is empty."""
    data = b""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(_PIECE)
    except OSError:
        pass
    end = start + len(data) if len(data) == _PIECE else None
    while end and data and data[-1] & 0xC0 == 0x80:  # do not cut a character
        data = data[:-1]
        end -= 1
    if end and data and data[-1] & 0x80:
        data = data[:-1]
        end -= 1
    text = str(data, "utf-8")
    client.send(json.dumps({"type": name, "text": text, "next": end}))


def _without_wifi():
    """Return the changes that make the board forget the networks that it joins."""
    wanted: dict = {"wifi": _WIFI}
    # No log: boot.py has reported the problems.
    net = lazy.call("config.loader", "load", log=[].append).get("network")
    if net:
        order = [name for name in net["order"] if name != "station"]
        wanted["network"] = {"wifi": [], "order": order}
    return wanted


def _remove_state():
    """Remove the settings, the generated passwords and the logs. Applications stay.

    Raises OSError if the flash does not remove one.
    """
    for path in _STATE:
        try:
            os.remove(path)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
    for name in os.listdir("/"):
        if name.startswith((UNDO_SETTINGS, "reset-")):
            os.remove("/" + name)


def _restart(server, client, name):
    server.log(INFO, "maintenance: %s, asked for by %s; restarting" % (name, client.address[0]))
    client.send(json.dumps({"type": "restarting", "do": name}))
    lazy.load("admin.restart").soon(server)
