"""Add the demo's widgets to the board's panel. Loaded on the first request for /panel."""

from wsserver import lazy


def serve(server, name: str, settings: dict, started: int, room: int, panel=None) -> None:
    """Create the panel, which registers /panel, unless there is one.

    name: the board's. settings: the section "demo". started: time() at startup. room: bytes that
    /panel needs.
    """
    if not panel:
        panel = lazy.load("panel").Panel(server, {"wifi": {"hostname": name}}, room)
    panel.load("demo.widgets", settings, started)
