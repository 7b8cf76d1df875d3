"""Start to read the values of widgets. Loaded when the first page connects, and dropped."""

from micropython import const

from wsserver import ERROR, lazy

_INTERVAL = const(1000)  # ms between two reads of the values


def start(session, server, panel):
    """Start the session of a program's panel, and load its parts. Return the session."""
    prepare(session, server, panel.name, panel.latest)
    session.panel = panel
    session.widgets = panel.widgets.copy  # called, it returns those of now
    session.errors = {}
    session.histories = panel.histories
    session.count = len(panel.widgets)
    panel.session = session
    _load(session, panel)
    return session


def _load(session, panel):
    """Load the parts of a panel. Their ends, and a problem if there is one, go to the session."""
    problem = None
    for module, args in panel.parts:
        try:
            end = lazy.load(module).add(panel, *args)
            if end:
                session.ends.append(end)
        except MemoryError:
            problem = "out of memory: the widgets of %s are missing" % module
        except Exception as error:
            problem = "%s: %s" % (module, lazy.call("panel.parse", "explain", error))
    if problem:
        session.problem = problem
        session.server.log(ERROR, "panel: " + problem)


def prepare(session, server, name: str, latest: list) -> None:
    """Set the attributes of a session, which is an Endpoint, and begin to read its values."""
    session.server = server
    session.name = name
    session.latest = latest
    session.pages = {}
    session.ends = []
    session.timer = server.every(_INTERVAL, session.tick)
