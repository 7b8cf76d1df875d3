"""Changes fields of config.json; everything else in it stays. Loaded while somebody does."""

import gc
import json
import os

from config import atomic, loader, schema

_PATH = "/config.json"
# What is less than this would keep the settings page from working, which alone could undo it.
_LEAST = (("server", "max_size", 1024), ("server", "write_limit", 4096))


def look(path: str = _PATH) -> tuple:
    """(the settings that the file stands for, what is wrong with it: {field: why})."""
    raw, problem = loader.read_raw(path)
    settings, problems = schema.validate(raw, loader.has_large_heap())
    return settings, _by_field([problem] if problem else problems)


def save(wanted: dict, path: str = _PATH) -> dict:
    """Change the fields {section: {field: value}}.

    Returns what is wrong with them, {field: why}; if anything is, nothing is changed. OSError: nor
    is it then.
    """
    raw, broken = loader.read_raw(path)
    before = _by_field(schema.validate(raw, loader.has_large_heap())[1])
    gc.collect()
    raw = raw if isinstance(raw, dict) else {}
    for section, values in wanted.items():
        if not isinstance(raw.get(section), dict):
            raw[section] = {}
        raw[section].update(values)
    after = _by_field(schema.validate(raw, loader.has_large_heap())[1])
    # What was wrong already, and is not touched, is no reason to keep all else from being changed.
    problems = {
        name: text
        for name, text in after.items()
        if before.get(name) != text or _touches(wanted, name)
    }
    for section, field, least in _LEAST:
        value = wanted.get(section, {}).get(field)
        if isinstance(value, int) and value < least:
            text = "must be at least %d, or this page could not be used any more"
            problems.setdefault("%s.%s" % (section, field), text % least)
    if problems:
        return problems
    pieces = _pieces(raw)
    if sum(len(piece) for piece in pieces) > loader.MAX_BYTES:
        return {"": "all settings together are over %d bytes long" % loader.MAX_BYTES}
    if broken:
        try:
            os.rename(path, path + ".broken")  # somebody may want to mend it
        except OSError:
            pass  # it is not there
    atomic.write(path, lambda: pieces)
    return {}


def _by_field(problems):
    found = {}
    for problem in problems:
        name, _, text = problem.partition(": ")
        if " " in name:  # about the file as a whole
            name, text = "", problem
        found[name] = text.split("; using ")[0]
    return found


def _touches(wanted, name):
    section, _, field = name.partition(".")
    return section in wanted and (not field or field in wanted[section])


def _pieces(raw):
    """JSON with each section on a line of its own, for people; in pieces, for want of memory."""
    pieces = [b"{"]
    before = b"\n"
    for name in sorted(raw):
        pieces += (before, json.dumps(name).encode(), b": ", json.dumps(raw[name]).encode())
        before = b",\n"
    return pieces + [b"\n}\n"]
