"""/panel: send the values of the widgets to pages. docs/protocol.md has every message.

Loaded while a page is connected, or for good once a program uses Panel.describe.
"""

import json
from time import ticks_ms

from micropython import const

from wsserver import lazy
from wsserver.core.frames import validate_utf8

_PATH = const("/panel")
_INTERVAL = const(1000)  # ms between two reads of the values
_QUIET = const(5)  # intervals after the last command until its code is unloaded
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_PIECE = const(1400)  # bytes of a message with values: one TCP segment
_MAX_TEXT = const(500)  # characters of a value
_MAX_ERROR = const(120)
_MAX_ECHO = const(100)  # bytes
_BRACE = const("{")


def endpoint(server, panel):
    """Return the session of a panel. LazyEndpoint calls this."""
    return panel.session or start(panel)


def start(panel):
    """Start a session, and return it."""
    panel.session = Session(panel)
    return panel.session


class Session:
    """The widgets while a page, or a program, uses them.

    panel: their Panel. errors: {id: text} of the widgets whose value cannot be read. problem: a
    text if widgets could not be loaded, else None.
    """

    def __init__(self, panel):
        self.panel = panel
        self.errors = {}
        self.problem = None
        self._own = len(panel.widgets)  # the others are unloaded with the session
        self._clients = []
        self._hidden = []  # clients whose page is not visible
        self._commands: Anything = None  # the module, while it is used
        self._quiet = 0
        # Functions to call at the end.
        self._ends, self.problem = lazy.call("panel.widgets", "load_parts", self)
        self._timer = panel.server.every(_INTERVAL, self._tick)

    # --- the endpoint

    def on_open(self, client) -> None:
        """Greet a page, which then asks for the descriptions."""
        self._clients.append(client)
        client.send(lazy.call("panel.descriptions", "greeting", self, client, _INTERVAL))
        self._tell("on_open", client)

    def on_message(self, client, message) -> None:
        """Execute a command of a page. Send anything else back, to measure the round trip."""
        if isinstance(message, str) and message[:1] == _BRACE:
            self._load_commands().receive(self, client, message)
        else:
            client.send(message[:_MAX_ECHO])

    def on_close(self, client, code: int, reason: str) -> None:
        """Forget a page, and unload with the last one what was loaded for it."""
        if client in self._hidden:
            self._hidden.remove(client)
        if client in self._clients:
            self._clients.remove(client)
            self._tell("on_close", client)
        if self._clients or self.panel.held:
            return
        self._timer.cancel()
        self._unload_commands()
        for end in self._ends:
            end()
        panel = self.panel
        panel.session = None
        while len(panel.widgets) > self._own:
            panel.widgets.pop()
            panel.latest.pop()
            panel.histories.pop(len(panel.widgets), None)

    def _tell(self, name, client):
        """Call on_open or on_close of the custom widgets that have it."""
        for widget in self.panel.widgets:
            method = getattr(widget[3], name, None)
            if method:
                method(client)

    def _load_commands(self):
        self._quiet = 0
        if not self._commands:
            before = lazy.loaded()
            self._commands = lazy.load("panel.commands")
            self._loaded = lazy.loaded(before)
        return self._commands

    def _unload_commands(self):
        if self._commands:
            self._commands = None
            lazy.unload(*self._loaded)

    # --- for commands

    def command(self, id: int, value) -> None:
        """Set a widget to a value. Raises ValueError with a text for the user."""
        self._load_commands().execute(self, id, value)

    def show(self, client, visible: bool) -> None:
        """Send values only while a page is visible; begin with all of them."""
        if client in self._hidden:
            self._hidden.remove(client)
        if visible:
            self.read()
            self._send(range(len(self.panel.widgets)), client.send)
        else:
            self._hidden.append(client)

    def read(self) -> list:
        """Read and return all values."""
        for id in range(len(self.panel.widgets)):
            self.update(id)
        return list(self.panel.latest)

    def refresh(self, id: int) -> None:
        """Read a value after a command, and send it to all pages."""
        self.update(id)
        self._send((id,), self._broadcast)

    # --- values

    def _tick(self):
        self._quiet += 1
        if self._quiet == _QUIET:
            self._unload_commands()
        if len(self._hidden) >= len(self._clients):
            return
        panel = self.panel
        try:
            ids = [id for id in range(len(panel.widgets)) if self.update(id)]
            for id, history in panel.histories.items():
                history.add(panel.latest[id])
            self._send(ids, self._broadcast)
        except MemoryError:
            pass  # these values are sent when they change again

    def update(self, id: int) -> bool:
        """Read a value. Return whether it has changed. An error is sent to all pages."""
        panel = self.panel
        kind = panel.widgets[id][0]
        get = panel.widgets[id][2]
        if not get:
            return False
        value = error = None
        try:
            value = _plain(kind, get())
        except MemoryError:
            raise
        except Exception as problem:
            error = self.explain(problem)
        known = self.errors.pop(id, None)
        if error:
            self.errors[id] = error
            if error != known:
                self._broadcast(json.dumps({"type": "error", "id": id, "error": error}))
        changed = value != panel.latest[id] or known
        panel.latest[id] = value
        return changed and not error

    def _send(self, ids, send):
        """Send values in messages of at most _PIECE bytes. Without any, the time goes alone."""
        head = '{"type": "values", "time": %d, "values": {' % (ticks_ms() & _CLOCK)
        text = ""
        for id in ids:
            if id in self.errors or self.panel.widgets[id][0] == "button":
                continue
            item = '"%d": %s' % (id, json.dumps(self.panel.latest[id]))
            if text and len(text) + len(item) > _PIECE:
                send(head + text + "}}")
                text = ""
            text += (", " if text else "") + item
        send(head + text + "}}")

    def _broadcast(self, text):
        self.panel.server.broadcast(text, _PATH)

    def explain(self, error) -> str:
        """Return a text about an exception of the application."""
        text = "%s: %s" % (type(error).__name__, error)
        return text[:_MAX_ERROR] if _is_valid(text) else type(error).__name__


def _is_valid(text):
    data = text.encode()
    return not validate_utf8(data, 0, len(data), 0, 0)


def _plain(kind, value):
    """Return a value as JSON can express it. Raises ValueError if that is impossible."""
    if value is None or isinstance(value, (bool, int)) and kind != "switch":
        return value
    if kind == "switch":
        return bool(value)
    if isinstance(value, float):
        return value if value - value == 0 else None  # JSON has no infinity
    if kind == "colour" and not isinstance(value, str):
        return "#%02x%02x%02x" % tuple(value)
    value = str(value)[:_MAX_TEXT]
    if not _is_valid(value):
        raise ValueError("the text is not valid UTF-8")
    return value
