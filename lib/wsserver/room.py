"""Sees to it that MicroPython does not crash where memory has run out."""

import sys


def probe() -> None:
    """MemoryError, if there is not half a KB in one piece. To be called before a socket is given
    to poll, which crashes the next time if it has not found memory for that.
    """
    bytearray(512)


def load(name: str):
    """Import a module that is not always needed, and return it.

    Where memory ends before there is a module object, MicroPython keeps an empty entry in
    sys.modules, and the next import of that name crashes. Such entries are removed here first.
    """
    module = sys.modules.get(name)
    if module is None:
        for other in list(sys.modules):
            if sys.modules.get(other) is None:
                sys.modules.pop(other, None)
        __import__(name)
        module = sys.modules[name]
    return module
