"""The endpoint /panel, whose clients are pages. docs/protocol.md has every message.

Loaded while a page is connected. `pages` is loaded for those that come and go, `requests` for
their messages.
"""

import json
from time import ticks_ms

from micropython import const

from wsserver import lazy

_PATH = const("/panel")
_QUIET = const(5)  # intervals after the last command until its code is unloaded
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_PIECE = const(1400)  # bytes of a message with values: one TCP segment
_MAX_ECHO = const(100)  # bytes
_BRACE = const("{")


class Endpoint:
    """The endpoint of /panel. A subclass reads the values.

    widgets(): return the widgets, tuples as in the class Panel. update(id): read a value into
    `latest`, and return whether it has changed and can be sent.

    panel.start.prepare sets the first of these. server: the Server. name: the board's.
    latest: the values that were read last, by id. pages: {client: whether it is visible}. ends:
    functions to call when the last page has left.

    panel: a program's Panel, or None. held: whether this stays without a page. errors: {id: text}
    of the widgets whose value cannot be read. histories: {id: History}. problem: a text if widgets
    could not be loaded, else None.
    """

    server: Anything
    latest: list
    pages: dict
    ends: list
    timer: Anything
    panel: Anything = None
    count: int
    problem = None
    held = False
    errors = histories = {}
    loaded = ()  # modules for commands
    _quiet = 0

    def on_open(self, client) -> None:
        """Greet a page, which then asks for the descriptions."""
        self.rest()
        lazy.call("panel.pages", "open", self, client)

    def on_message(self, client, message) -> None:
        """Execute a command of a page. Send anything else back, to measure the round trip."""
        if isinstance(message, str) and message[:1] == _BRACE:
            self.load("panel.requests").receive(self, client, message)
        else:
            client.send(message[:_MAX_ECHO])

    def on_close(self, client, code: int, reason: str) -> None:
        """Forget a page, and end with the last one."""
        self.pages.pop(client, None)
        self.rest()  # first: the settings may close a page to get its memory
        try:
            lazy.call("panel.pages", "tell", self, "on_close", client)
        finally:
            if not self.pages and not self.held:
                self.timer.cancel()
                for end in self.ends:
                    end()
                if self.panel:
                    self.panel.close(self.count)

    def load(self, name: str):
        """Load a module for commands, and return it. It is unloaded soon after the last one."""
        self._quiet = 0
        before = lazy.loaded()
        module = lazy.load(name)
        self.loaded += tuple(lazy.loaded(before))
        return module

    def rest(self) -> None:
        """Unload the modules for commands, until the next one."""
        lazy.unload(*self.loaded)
        self.loaded = ()

    def tick(self) -> None:
        """Send the values that have changed. Called once a second."""
        self._quiet += 1
        if self._quiet == _QUIET:
            self.rest()
        if True not in self.pages.values():
            return
        try:
            changed = []
            for id in range(len(self.latest)):
                if self.update(id):  # type: ignore[attr-defined]
                    changed.append(id)
            self.send(changed)
        except MemoryError:
            pass  # these values are sent when they change again

    def send(self, ids, client=None) -> None:
        """Send values to a page, or to all, in messages of at most _PIECE bytes.

        Without any values, the time goes alone.
        """
        send, args = (client.send, ()) if client else (self.server.broadcast, (_PATH,))
        head = '{"type": "values", "time": %d, "values": {' % (ticks_ms() & _CLOCK)
        text = ""
        for id in ids:
            item = '"%d": %s' % (id, json.dumps(self.latest[id]))
            if text and len(text) + len(item) > _PIECE:
                send(head + text + "}}", *args)
                text = ""
            text += (", " if text else "") + item
        send(head + text + "}}", *args)
