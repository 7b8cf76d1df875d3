"""The packages that no update can replace: they are in place. Loaded when a client opens /update.

MicroPython searches frozen modules first, then a ROMFS, then /lib, and takes a whole package from
the first place that has it.
"""

from wsserver import lazy
from wsserver.inplace import level

from .names import PACKAGES


def in_place() -> dict:
    """Return {package: 1 in a ROMFS, 2 frozen}."""
    found = {}
    for name in PACKAGES + ("failsafe",):
        try:
            place = level(lazy.load(name).__path__)
        except ImportError:  # left out
            continue
        if place:
            found[name] = place
    return found
