"""Routes with async handlers, and streams. Runs on MicroPython."""

raise ImportError  # for now
