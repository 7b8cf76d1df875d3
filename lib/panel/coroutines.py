"""The async functions of commands that still run. Loaded with the first, and then stays.

The code of the panel is unloaded when the last page has left. A function that still runs must not
keep it: the next page would load a second copy. So only lists in this module refer to it.
"""

from micropython import const

from wsserver import ERROR, lazy

_MOST = const(8)
_calls = []  # (session, *arguments) for each, as a list; it is empty if the session has ended


def check(coroutine) -> None:
    """Close a coroutine and raise ValueError if too many run."""
    if len(_calls) >= _MOST:
        coroutine.close()
        raise ValueError("%d commands still run: try again later" % _MOST)


def start(session, coroutine, *args) -> None:
    """Run a coroutine. At its end panel.commands.end(session, error, *args) is called.

    If the session has ended before, an error is logged instead.
    """
    server = session.server
    call = list((session,) + args)
    forget = call.clear
    session.ends.append(forget)
    _calls.append(call)
    session = args = None

    def done(result, error):
        _calls.remove(call)
        if call:
            session, *args = call
            session.ends.remove(forget)
            session.load("panel.commands").end(session, error, *args)
        elif error:
            server.log(ERROR, "panel: " + lazy.call("panel.parse", "explain", error))

    lazy.load("wsserver.coroutines").start(server, coroutine, done)
