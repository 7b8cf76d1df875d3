"""The class Panel: what programs use. Stays loaded with a program's panel."""

from micropython import const

from wsserver import lazy

_NEED = const(4000)  # bytes that /panel needs


class Panel:
    """The widgets of one server. Each method that adds one returns its id, a small integer.

    serve: register /panel. settings: all sections, for the board's name.

    label: a text, never interpreted as HTML. get: a function that returns the value; it is called
    once a second, only while a page is visible. set: a function that is called with a new value.
    An exception that one of them raises is shown at the widget. set and the function of a button
    may be async. Without get, the panel stores the value that was set last. get and set may be
    tuples (function, argument, ...), or set (name of a module with a function set, argument, ...).

    Each widget takes the options group and icon (texts) and order (a number; widgets with the same
    order appear as they were added). Wrong arguments raise TypeError or ValueError.

    The other modules of this package use these attributes. widgets: (kind, label, get, set, name
    of an option, its value, ...) for each id. latest: the value that was read or set last, for
    each id. histories: {id: History}. parts: the arguments of `load`. name: the board's. session:
    the Session, while there is one.
    """

    def __init__(self, server, settings: dict, serve: bool = True):
        self.server = server
        self.name = settings["wifi"]["hostname"]
        self.widgets = []
        self.latest = []
        self.histories = {}
        self.parts = []
        self.session: Anything = None
        if serve:
            endpoint = lazy.LazyEndpoint(server, "panel.panel", self, False, need=_NEED)
            server.websocket("/panel", endpoint)
            lazy.load("panel.widgets")  # until all widgets of the start are added
            server.after(1, lambda: lazy.unload("panel.widgets"))

    def value(self, label: str, get, unit: str = "", **options) -> int:
        """Show a number, a text or a bool.

        chart=True: the page draws a chart of what it has received. history=n: the board stores n
        samples for all pages, one every `every` seconds (default 2) while a page is visible.
        minimum, maximum: of the chart's axis.
        """
        return self._add("value", label, get, None, dict(options, unit=unit))

    def switch(self, label: str, get=None, set=None, **options) -> int:
        """Show a switch; set(True) or set(False)."""
        return self._add("switch", label, get, set, options)

    def slider(self, label: str, get=None, set=None, minimum=0, maximum=100, step=1, **options):
        """Show a slider; set(number). Takes a unit as well."""
        limits = {"minimum": minimum, "maximum": maximum, "step": step}
        return self._add("slider", label, get, set, dict(options, **limits))

    def button(self, label: str, function, **options) -> int:
        """Show a button; function() is called when it is pressed."""
        return self._add("button", label, None, function, options)

    def select(self, label: str, choices, get=None, set=None, **options) -> int:
        """Show a list of choices, which are texts; set(choice)."""
        return self._add("select", label, get, set, dict(options, choices=choices))

    def text(self, label: str, get=None, set=None, size: int = 100, **options) -> int:
        """Show a text field; set(text). size: characters at most, up to 500."""
        return self._add("text", label, get, set, dict(options, size=size))

    def colour(self, label: str, get=None, set=None, **options) -> int:
        """Show a colour; set((red, green, blue)), each from 0 to 255; get returns the same."""
        return self._add("colour", label, get, set, options)

    def custom(self, kind: str, label: str, endpoint, **options) -> int:
        """Add a widget that a page of your own draws.

        endpoint: an object with on_command(client, value), which may raise ValueError with a text
        for the user, and optionally on_open(client) and on_close(client). Or the name of a module
        whose endpoint(server) returns one, and which is loaded for each event. None: no commands.
        """
        return self._add(kind, label, None, endpoint, options)

    def load(self, module: str, *args) -> None:
        """Load widgets only while a page is connected: then call module.add(panel, *args).

        The module and its widgets are unloaded when the last page has left. If add() returns a
        function, it is called then.
        """
        self.parts.append((module, args))

    def describe(self) -> list:
        """Return a dict for each widget: id, kind, label, value and the options."""
        session = endpoint(self.server, self, True)
        ids = range(len(self.widgets))
        return [lazy.call("panel.pages", "describe", session, id, self.widgets[id]) for id in ids]

    def values(self) -> list:
        """Return the current values by id; None for a widget whose get fails."""
        session = endpoint(self.server, self, True)
        for id in range(len(self.widgets)):
            session.update(id)
        return list(self.latest)

    def command(self, id: int, value=None) -> None:
        """Execute a command as a page would. Raises ValueError with a text for the user."""
        session = endpoint(self.server, self, True)
        session.load("panel.commands").execute(session, id, value)

    def close(self, count: int) -> None:
        """Keep the first `count` widgets: the others were loaded for the session."""
        self.session = None
        while len(self.widgets) > count:
            self.widgets.pop()
            self.latest.pop()
            self.histories.pop(len(self.widgets), None)

    def _add(self, *args):
        return lazy.call("panel.widgets", "add", self, *args)


def endpoint(server, panel, held):
    """Return the session of a panel, and start it if needed. LazyEndpoint calls this.

    held: it stays loaded, for a program that asks for it again and again.
    """
    session = panel.session or lazy.load("panel.session").start(server, panel)
    if held:
        session.held = True
    return session
