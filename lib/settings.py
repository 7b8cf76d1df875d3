"""config.json -> settings that can be relied on: every field is there, and within its range.

What is wrong with the file costs only the fields concerned: they get their defaults, and a line on
serial says so. A broken file never keeps the board from starting.
"""

import sys

_loaded = None


def load(path: str = "/config.json", log=print) -> dict:
    """The settings as {section: {field: value}}; what is wrong with the file goes to log(text).

    The file is read once: later calls give the same settings.
    """
    global _loaded
    if _loaded is None:
        import configfile

        _loaded = configfile.read(path, log)
        # The code for this takes more of the heap than all settings together, and is needed once:
        # this module is all that stays while the server is loaded.
        del sys.modules["configfile"], sys.modules["fields"]
    return _loaded
