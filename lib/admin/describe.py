"""Describe the settings to their page: values, rules and problems. Loaded for one call.

settings, problems: those of config.json.
"""

import json
import os
from hashlib import sha256

from failsafe import UNDO_SETTINGS
from micropython import const

from wsserver import lazy

from .settings import PATH

_PIECE = const(512)  # bytes
_HIDDEN = ("network",)  # its values are lists and objects, with passwords in them
_DEMO = ("broadcast", "demo")  # have no effect while an application takes the demo's place


def summary(settings: dict, problems: list) -> str:
    """Return the first message: the sections, which passwords are set, the problems."""
    secrets = {}
    for section, values in settings.items():
        for field, value in values.items():
            if _is_secret(field) and section not in _HIDDEN:
                state = "generated" if value is None else "set" if value else "none"
                secrets["%s.%s" % (section, field)] = state
    hidden = _HIDDEN + _DEMO if lazy.call("application", "find") else _HIDDEN
    message = {
        "type": "settings",
        "name": settings["wifi"]["hostname"],
        "sections": [name for name in settings if name not in hidden],
        "secrets": secrets,
        "problems": by_field(problems),
        "unconfirmed": unconfirmed() is not None,
        "reset": "reset-600" in os.listdir("/"),
        "version": version(),
    }
    return json.dumps(message)


def version() -> str:
    """Return the beginning of the SHA-256 of the settings' file, or "" if there is none."""
    digest = sha256()
    try:
        with open(PATH, "rb") as file:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    return digest.digest()[:8].hex()
                digest.update(piece)
    except OSError:
        return ""


def section(settings: dict, problems: list, name: str) -> str:
    """Return the message with the values and the rules of a section.

    A rule is [field, kind, limits...]. Passwords have no value. Raises ValueError.
    """
    values = settings.get(name)
    if values is None or name in _HIDDEN:
        known = ", ".join(sorted(one for one in settings if one not in _HIDDEN))
        raise ValueError("%s: unknown section; known are %s" % (name, known))
    settings.clear()  # the others' memory is needed for the message
    rules = []
    for field, rule in lazy.call("config.schema", "fields", name).items():
        values.setdefault(field, rule[0])
        rules.append([field, rule[1].replace("?", " or null")] + list(rule[2:]))
    for field in list(values):
        if _is_secret(field):
            del values[field]
    message = {
        "type": "section",
        "section": name,
        "values": values,
        "rules": rules,
    }
    return json.dumps(message, separators=(",", ":"))  # the longest in one piece of 760 bytes


def _is_secret(field):
    return field.endswith("password")


def unconfirmed():
    """Return S, the seconds as digits, of /config.undo-S; None if nothing is unconfirmed."""
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
