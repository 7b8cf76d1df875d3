"""Add the demo's widgets to the board's panel. Loaded on the first request for /panel."""


def serve(server, board, started: int) -> None:
    """Create the panel, which registers /panel. started: time() at startup."""
    board.panel.load("demo.widgets", board.settings["demo"], started)
