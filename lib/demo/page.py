"""The demo's panel, which exists only while a page is connected to /panel."""

from wsserver import lazy


def endpoint(server, settings: dict, started: int):
    """Return the session of a panel with the demo's widgets. LazyEndpoint calls this.

    started: time() at startup.
    """
    panel = lazy.load("panel").Panel(server, settings, serve=False)
    panel.load("demo.widgets", settings["demo"], started)
    return lazy.load("panel.session").start(panel)
