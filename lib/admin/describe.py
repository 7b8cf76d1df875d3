"""Describe the settings to their page: values, rules and problems. Loaded for one call."""

import json

from config import loader, schema

from .settings import PATH, by_field, unconfirmed

_HIDDEN = ("network",)  # its values are lists and objects, with passwords in them


def summary() -> str:
    """Return the first message: the sections, which passwords are set, the problems."""
    settings, problems = _load()
    secrets = {}
    for section, values in settings.items():
        for field, value in values.items():
            if _is_secret(field) and section not in _HIDDEN:
                state = "generated" if value is None else "set" if value else "none"
                secrets["%s.%s" % (section, field)] = state
    message = {
        "type": "settings",
        "name": settings["wifi"]["hostname"],
        "sections": [name for name in settings if name not in _HIDDEN],
        "secrets": secrets,
        "problems": by_field(problems),
        "unconfirmed": unconfirmed() is not None,
    }
    return json.dumps(message)


def section(name: str) -> str:
    """Return the message with the values and the rules of a section.

    A rule is [field, kind, limits...]. Passwords have no value. Raises ValueError.
    """
    settings, _ = _load()
    if name not in settings or name in _HIDDEN:
        raise ValueError("unknown section: %s" % name)
    values = settings[name]
    for field in list(values):
        if _is_secret(field):
            del values[field]
    message = {
        "type": "section",
        "section": name,
        "values": values,
        "rules": [[field] + list(rule[1:]) for field, rule in schema.fields(name).items()],
    }
    return json.dumps(message)


def _load():
    problems = []
    settings = loader.load(PATH, problems.append)
    return settings, [text[len(PATH) + 2 :] for text in problems]


def _is_secret(field):
    return field.endswith("password")
