"""The session of a program's panel: read the values of its widgets.

Loaded while a page is connected, or for good once a program uses Panel.describe.
"""

from micropython import const

from wsserver import lazy
from wsserver.core.frames import validate_utf8

from .endpoint import Endpoint

_MAX_TEXT = const(500)  # characters of a value
_MAX_ERROR = const(120)


def start(server, panel):
    """Start the session of a panel, and return it."""
    return lazy.call("panel.start", "start", Session(), server, panel)


class Session(Endpoint):
    """The widgets of a panel while a page, or a program, uses them.

    count: how many stay when it ends: the others belong to parts.
    """

    def update(self, id: int) -> bool:
        """Read a value. Return whether it has changed. An error is sent to all pages."""
        widget = self.panel.widgets[id]
        get = widget[2]
        if not get:
            return False
        value = error = None
        try:
            value = _plain(widget[0], get() if callable(get) else get[0](*get[1:]))
        except MemoryError:
            raise
        except Exception as problem:
            error = ("%s: %s" % (type(problem).__name__, problem))[:_MAX_ERROR]
        known = self.errors.pop(id, None)
        if error:
            self.errors[id] = error
            if error != known:
                lazy.call("panel.pages", "report", self, id, error)
        changed = value != self.latest[id] or known
        self.latest[id] = value
        if id in self.histories:
            self.histories[id].add(value)
        return changed and not error


def _plain(kind, value):
    """Return a value as JSON can express it. Raises ValueError if that is impossible."""
    if kind == "switch":
        return bool(value)
    # The digits of an int may be too many for a message. JavaScript is exact up to 53 bits. In
    # MicroPython a bool is no int.
    if value is None or isinstance(value, (bool, int)) and -1 <= value >> 53 <= 0:
        return value
    if isinstance(value, (int, float)):
        value = float(value)
        return value if value - value == 0 else None  # JSON has no infinity
    if kind == "colour" and not isinstance(value, str):
        value = tuple(value)
        if len(value) != 3 or min(value) < 0 or max(value) > 255:
            raise ValueError("a colour must be three numbers from 0 to 255")
        return "#%02x%02x%02x" % value
    value = str(value)[:_MAX_TEXT]
    data = value.encode()
    if validate_utf8(data, 0, len(data), 0, 0):
        raise ValueError("the text is not valid UTF-8")
    return value
