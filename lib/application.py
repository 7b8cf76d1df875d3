"""Set up the application: the one in /app, or the demo.

Loaded at startup and dropped. `Board` stays in memory if the application keeps its board.

/app/app.py (or app.mpy) is an application in one file, /app/__init__.py one that is a package.
Either has a function setup(board), which may be async. /app comes last in sys.path, so that no
module there can replace one of the firmware.
"""

import os
import sys

from micropython import const

from wsserver import lazy

_FOLDER = const("/app")
_SETUP = const("setup(board)")
_PAGES = const("/www")
_RESERVED = const(("/settings", "/update", "/join"))  # paths of the firmware
# (module, file without suffix)
_FORMS = const((("app.app", "/app/app"), ("app", "/app/__init__")))


class Board:
    """The argument of an application's setup(board).

    server: the Server, which begins to answer when setup() has returned. settings: all sections of
    config.json, as a dict of dicts. name: the board's host name. https_port: the port to which
    pages without TLS are redirected (tls.redirect), or None.
    """

    def __init__(self, server, settings: dict, https_port=None):
        self.server = server
        self.settings = settings
        self.name = settings["wifi"]["hostname"]
        self.https_port = https_port
        self._panel: Anything = None

    @property
    def panel(self):
        """Return the Panel, which adds widgets to the page. The first use loads its code."""
        if self._panel is None:
            self._panel = lazy.load("panel.panel").Panel(self.server, self.settings)
        return self._panel


def find():
    """Return the name of the application's module, or None if there is no application."""
    try:
        names = os.listdir(_FOLDER)
    except OSError:
        return None
    for module, path in _FORMS:
        name = path[path.rfind("/") + 1 :]
        if name + ".py" in names or name + ".mpy" in names:
            return module
    return "app.app" if "app" in names else None  # a package that was copied by hand


def start(server, settings: dict, https_port=None, safe_mode: bool = False) -> Board:
    """Set up the application, or the demo if there is none, and serve the pages.

    safe_mode: set up neither (safe mode). Returns the board.
    Raises ValueError if the application has no setup(), or uses a path of the firmware, and what
    setup() raises.
    """
    board = Board(server, settings, https_port)
    name = find()
    if safe_mode:
        print("application: not started (safe mode)")
    elif name:
        _start(board, name)
        paths = lazy.call("wsserver.http.routes", "registered", server)
        if paths:  # an async setup() may add them later
            print("application: " + paths)
    else:
        lazy.load("demo.echo")  # stays loaded
        if settings["demo"]["enabled"] and settings["fleet"]["enabled"]:
            lazy.load("panel.panel")  # stays, too: lazy.call would unload it with the setup
        lazy.call("demo.application", "setup", board)
    # The application's pages, if it has any, and behind them the firmware's.
    for folder in (_FOLDER + _PAGES, _PAGES):
        try:
            if folder == _PAGES or name and not safe_mode and _exists(folder):
                server.files("/", folder, https_port)
        except ValueError as error:  # without pages, the endpoints are served
            print("application: no pages: %s" % error)
    return board


def _start(board, name):
    sys.path.append(_FOLDER)
    programs = lazy.load("wsserver.programs")
    result = programs.register(board.server, name, _SETUP, board, _RESERVED, _report)
    lazy.unload("wsserver.programs")
    if result is not None:
        coroutines = lazy.load("wsserver.coroutines")
        if coroutines.is_coroutine(result):
            coroutines.start(board.server, result, _check)


def _check(value, error):
    """Restart the board if an error has ended an async setup()."""
    if isinstance(error, Exception):  # a CancelledError, when the server stops, is not
        crash = lazy.load("failsafe.crash")  # which lazy.call would unload
        lazy.call("wsserver.programs", "describe", error, _SETUP, _report)
        crash.restart(error)


def _report(text):
    """Let failsafe.crash, which restarts the board, print hints below the traceback."""
    lazy.load("failsafe.crash").detail = text  # ignored by one from before


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
