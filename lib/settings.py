"""config.json -> settings that can be relied on: every field is there, and within its range.

What is wrong with the file costs only the fields concerned: they get their defaults, and a line on
serial says so. A broken file never keeps the board from starting.

All settings together take 2 KB of the heap, the code that reads them twice as much: who has what
it needs drops both. Reading them again is cheap.
"""

import sys


def load(path: str = "/config.json", log=print) -> dict:
    """The settings as {section: {field: value}}; what is wrong with the file goes to log(text)."""
    import configfile

    settings = configfile.read(path, log)
    del sys.modules["configfile"], sys.modules["fields"], sys.modules["settings"]
    return settings


def quiet(text: str) -> None:
    """Instead of print, where the settings are read once more."""
