"""Paths whose code is loaded when somebody first asks for one. Loaded when that happens."""

import gc
import sys

from . import room


def load(server, path: str):
    """The Route of a path of which the server knows no more than what has it: `routes[path]` is
    (module, arguments...), and module.serve(server, arguments...) puts it there.

    What goes wrong is raised, and the next one who asks tries again.
    """
    before = set(sys.modules)
    late = server.routes[path]
    gc.collect()  # what is loaded now is to lie in one piece
    try:
        room.load(late[0], "").serve(server, *late[1:])
    except Exception:
        for name in set(sys.modules) - before:
            sys.modules.pop(name, None)  # which may be an empty entry: see room
        raise
    return server.routes[path]
