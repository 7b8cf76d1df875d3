"""Start to measure for the demo's widgets. Loaded when a page connects, and dropped."""

from wsserver import lazy


def start(status, server, name: str, settings: dict, started: int):
    """Make a demo.status.Status an endpoint of /panel, and return it. The arguments: see there.

    name: the board's.
    """
    measure(status, server, settings, started)
    latest = [None] * len(status.widgets())
    lazy.call("panel.start", "prepare", status, server, name, latest)
    status.ends.append(status.meter.stop)
    return status


def measure(status, server, settings: dict, started: int) -> None:
    """Set the attributes of a Status that it needs to read values."""
    status.server = server
    status.settings = settings
    status.started = started
    status.meter = lazy.call("demo.sensors", "meter", server)
    status.last = status.meter.update()
