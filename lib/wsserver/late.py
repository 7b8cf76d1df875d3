"""Paths whose code is loaded when somebody first asks for one. Loaded when that happens."""

import gc
import sys


def load(server, path: str):
    """The Route of a path of which the server knows no more than what has it: `routes[path]` is
    (module, arguments...), and module.serve(server, arguments...) puts it there.

    What goes wrong is raised, and the next one who asks tries again.
    """
    before = set(sys.modules)
    late = server.routes[path]
    gc.collect()  # what is loaded now is to lie in one piece
    try:
        __import__(late[0]).serve(server, *late[1:])
    except Exception:
        for name in set(sys.modules) - before:
            del sys.modules[name]
        raise
    return server.routes[path]
