"""Read config.json and return complete, valid settings.

An invalid field falls back to its default and is logged. A broken file never prevents the board
from starting.
"""

import gc
import os

from micropython import const

from .schema import validate

_LARGE_HEAP = const(300000)  # bytes, on ports other than the ESP32's
_PSRAM = const(1 << 20)  # bytes; no region of internal RAM is this large


def load(path: str = "/config.json", log=print) -> dict:
    """Return the settings as {section: {field: value}}. Report problems with log(text).

    They are adapted to the chip.
    """
    from .configfile import read_raw

    try:
        raw, problem = read_raw(path)
    except MemoryError:  # a few KB of brackets are enough
        raw = problem = None
    return complete(raw, problem, path, log)


def complete(raw, error, path: str, log) -> dict:
    """Return what load() returns, of the result of configfile.read_raw().

    raw: None if the file does not fit into memory.
    """
    settings = None
    if raw is not None:
        try:
            settings, problems = validate(raw, has_large_heap())
            if error:
                problems = [error]
        except MemoryError:
            pass
    if settings is None:
        gc.collect()  # not inside `except`, where the parsed data is still referenced
        settings, _ = validate({})
        problems = ["does not fit into memory; using defaults: correct it or remove it"]
    for text in problems:
        log("%s: %s" % (path, text))
    # Only this chip has less than the others.
    if hasattr(os, "uname") and os.uname().machine.endswith(" with ESP32-C2"):
        from .chips import fit

        fit(settings, log)
    if "network" in settings:
        # A boot.py from before this section passes on `wifi` only, and no OTA update replaces it.
        settings["wifi"]["network"] = settings["network"]
    return settings


def has_large_heap() -> bool:
    """Return whether this board has PSRAM, or another port's large heap.

    On an ESP32, PSRAM is a region of the IDF heap of more than 1 MB. gc.mem_free() would mislead
    there: it counts memory that the GC heap could still take from the IDF heap.
    """
    try:
        from esp32 import HEAP_DATA, idf_heap_info
    except ImportError:
        return gc.mem_free() + gc.mem_alloc() > _LARGE_HEAP
    return any(region[0] > _PSRAM for region in idf_heap_info(HEAP_DATA))
