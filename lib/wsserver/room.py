"""Imports what is not always needed."""

import sys


def load(name: str, package: str = "wsserver."):
    """Import a module, and return it.

    Where memory ends before there is a module object, MicroPython keeps an empty entry in
    sys.modules, and the next import of that name crashes. Such entries are removed here first.
    """
    name = package + name
    module = sys.modules.get(name)
    if module is None:
        for other in list(sys.modules):
            if sys.modules.get(other) is None:
                sys.modules.pop(other, None)
        __import__(name)
        module = sys.modules[name]
    return module
