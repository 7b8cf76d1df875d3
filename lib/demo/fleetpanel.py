"""The demo's widgets in a program's panel, which a board in a fleet has. Loaded with it."""

from wsserver import lazy

from . import status


def add(panel, settings: dict, started: int):
    """Add the widgets to a panel. Return a function that ends the measurement."""
    found = status.Status()
    lazy.call("demo.start", "measure", found, panel.server, settings, started)
    panel.widgets.extend(found.widgets())
    panel.latest.extend([None] * (len(panel.widgets) - len(panel.latest)))
    return found.meter.stop
