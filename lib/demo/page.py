"""The demo's panel, which exists only while a page is connected to /panel."""

from wsserver import lazy


def endpoint(server, name: str, settings: dict, started: int):
    """Return the session of a panel with the demo's widgets. LazyEndpoint calls this.

    name: the board's. settings: the section "demo". started: time() at startup.
    """
    panel = lazy.load("panel").Panel(server, {"wifi": {"hostname": name}}, serve=False)
    panel.load("demo.widgets", settings, started)
    return lazy.load("panel.session").start(panel)
