"""Home Assistant's MQTT discovery for the widgets of the panel. Loaded while it is used."""


def announce(board, root: str, mqtt) -> None:
    """Publish the configuration of each widget."""


def command(board, levels: list, payload) -> None:
    """Execute a command for a widget."""
