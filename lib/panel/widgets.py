"""Check the arguments of Panel's methods, and add widgets. Loaded while widgets are added."""

import gc

from micropython import const

from wsserver import lazy
from wsserver.core.frames import validate_utf8

_MAX_LABEL = const(100)  # characters
_MAX_TEXT = const(500)
_MAX_CHOICES = const(1000)  # characters of all choices: a description is one message
_MAX_HISTORY = const(300)
_PERIOD = const(2)  # seconds between two samples

# The options of each kind beside group, icon and order, with the types of their values.
_NUMBER = (int, float)
_OPTIONS: dict = {
    "value": {
        "unit": str,
        "chart": bool,
        "history": int,
        "every": _NUMBER,
        "minimum": _NUMBER,
        "maximum": _NUMBER,
    },
    "slider": {"unit": str, "minimum": _NUMBER, "maximum": _NUMBER, "step": _NUMBER},
    "select": {"choices": (list, tuple)},
    "text": {"size": int},
}
_KINDS = const(("switch", "slider", "button", "select", "text", "colour"))
_COMMON = {"group": str, "icon": str, "order": _NUMBER}
_INITIAL = {"switch": False, "text": "", "colour": "#000000"}


def add(panel, kind: str, label: str, get, set, options: dict) -> int:
    """Add a widget to a panel and return its id.

    Raises TypeError or ValueError, which names the widget and the argument.
    """
    if not _is_text(label, _MAX_LABEL) or not label:
        raise ValueError("label must be a str of 1 to %d characters: %r" % (_MAX_LABEL, label))
    where = "%s %r: " % (kind, label)
    _check_functions(where, kind, get, set)
    every = options.get("every", _PERIOD)
    _check_options(where, kind, options)
    gc.collect()  # what stays must not be placed among garbage, which would fragment the heap
    widget = [kind, label, get, set]
    for name, value in options.items():
        if value not in ("", False) or name in ("minimum", "maximum"):
            widget.extend((name, value))
    id = len(panel.widgets)
    history = options.get("history")
    if history:
        panel.histories[id] = lazy.load("panel.history").History(history, every)
    panel.widgets.append(tuple(widget))
    panel.latest.append(_initial(kind, options))
    return id


def _check_functions(where, kind, get, set):
    if kind == "value":
        if not _is_function(get):
            raise TypeError(_not_a_function(where + "get", get))
        return
    if get is not None and not _is_function(get):
        raise TypeError(_not_a_function(where + "get", get, "a function or None"))
    if kind in _KINDS:
        if not _is_function(set, str):
            name = "function" if kind == "button" else "set"
            raise TypeError(_not_a_function(where + name, set))
    elif not (set is None or isinstance(set, str) or hasattr(set, "on_command")):
        raise TypeError(where + "endpoint must have a method on_command: %r" % (set,))


def _not_a_function(name, value, kind="a function"):
    return lazy.call("wsserver.errorhints", "not_callable", name, value, kind)


def _is_function(function, *others):
    """Return whether this is a function, or a tuple that begins with one, or with one of these."""
    if isinstance(function, tuple) and function:
        return callable(function[0]) or isinstance(function[0], others)
    return callable(function)


def _check_options(where, kind, options):
    known: dict = dict(_COMMON)
    known.update(_OPTIONS.get(kind, {}))
    for name, value in options.items():
        if name not in known:
            names = ", ".join(sorted(known))
            raise TypeError(where + "unknown option %r; known are %s" % (name, names))
        # isinstance(True, int) is true.
        is_flag = isinstance(value, bool)
        if not isinstance(value, known[name]) or is_flag != (known[name] is bool):
            raise TypeError(where + "%s has a wrong type: %r" % (name, value))
        if isinstance(value, str) and not _is_text(value, _MAX_LABEL):
            raise ValueError(where + "%s is too long, or no text: %r" % (name, value))
    low, high = options.get("minimum", 0), options.get("maximum")
    if high is not None and not low < high:
        raise ValueError(where + "minimum must be less than maximum: %r, %r" % (low, high))
    if not options.get("step", 1) > 0:
        raise ValueError(where + "step must be greater than 0: %r" % options["step"])
    if not options.get("every", 1) >= 1:
        raise ValueError(where + "every must be at least 1 second: %r" % options["every"])
    _check_size(where, "history", options, _MAX_HISTORY)
    _check_size(where, "size", options, _MAX_TEXT)
    if "choices" in options:
        choices = options["choices"]
        if not choices or not all(_is_text(choice, _MAX_CHOICES) for choice in choices):
            raise ValueError(where + "choices must be a list of texts: %r" % (choices,))
        if sum(len(choice) for choice in choices) > _MAX_CHOICES:
            text = "choices must have at most %d characters together"
            raise ValueError(where + text % _MAX_CHOICES)


def _is_text(text, most):
    """Return whether this is a str of valid UTF-8 with at most `most` characters."""
    if not isinstance(text, str) or len(text) > most:
        return False
    data = text.encode()
    return not validate_utf8(data, 0, len(data), 0, 0)


def _check_size(where, name, options, most):
    if not 1 <= options.get(name, 1) <= most:
        raise ValueError(where + "%s must be 1 to %d: %r" % (name, most, options[name]))


def _initial(kind, options):
    if kind == "slider":
        return options["minimum"]
    if kind == "select":
        return options["choices"][0]
    return _INITIAL.get(kind)
