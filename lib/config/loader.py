"""Read config.json and return complete, valid settings.

An invalid field falls back to its default and is logged. A broken file never prevents the board
from starting.
"""

import errno
import gc
import json
import os

from micropython import const

from .schema import validate

MAX_BYTES = 4096
_PIECE = const(256)  # bytes per read
_MAX_DEPTH = const(8)  # nested brackets; valid settings need three
_LARGE_HEAP = const(300000)  # bytes, on ports other than the ESP32's
_PSRAM = const(1 << 20)  # bytes; no region of internal RAM is this large


def load(path: str = "/config.json", log=print) -> dict:
    """Return the settings as {section: {field: value}}. Report problems with log(text).

    They are adapted to the chip.
    """
    settings = None
    try:
        raw, problem = read_raw(path)
        settings, problems = validate(raw, has_large_heap())
        if problem:
            problems = [problem]
    except MemoryError:  # a few KB of brackets are enough
        pass
    if settings is None:
        gc.collect()  # not inside `except`, where the parsed data is still referenced
        settings, _ = validate({})
        problems = ["does not fit into memory; using defaults: correct it or remove it"]
    for text in problems:
        log("%s: %s" % (path, text))
    # "ESP32C2 module with ESP32-C2": only this chip has less than the others.
    if hasattr(os, "uname") and os.uname().machine.endswith("C2"):
        from .chips import fit

        fit(settings, log)
    return settings


def read_raw(path: str) -> tuple:
    """Return (parsed JSON, problem). The JSON is {} if the file is missing or unusable.

    problem is None or a text. A missing file is no problem.
    """
    try:
        with open(path, "rb") as file:
            if file.seek(0, 2) > MAX_BYTES:
                return {}, "is longer than %d bytes; using defaults" % MAX_BYTES
            depth, is_whole = _scan(file)
            if depth > _MAX_DEPTH:
                # json.load() would exhaust the heap.
                return {}, "is nested too deeply; using defaults: correct it or remove it"
            # Editors on Windows begin a file with a byte order mark.
            file.seek(0)
            file.seek(3 if file.read(3) == b"\xef\xbb\xbf" else 0)
            if is_whole:
                return json.load(file), None
    except OSError as error:
        if error.errno == errno.ENOENT:  # a new board has no file
            return {}, None
        return {}, "cannot be read (%s); using defaults" % error
    except (ValueError, UnicodeError):
        pass
    return {}, "is not JSON, or incomplete; using defaults: correct it or remove it"


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


def _scan(file):
    """Return (deepest nesting of brackets, whether no text follows the JSON).

    Reads small pieces: the file need not fit into memory twice. Brackets in strings do not count.
    """
    file.seek(0)
    depth = deepest = 0
    in_string = escaped = ended = False
    while True:
        piece = file.read(_PIECE)
        if not piece:
            return deepest, True
        for byte in piece:
            if in_string:
                in_string = escaped or byte != 34
                escaped = not escaped and byte == 92
            elif ended and byte > 32:
                return deepest, False
            elif byte == 34:
                in_string = True
            elif byte in b"[{":
                depth += 1
                deepest = max(depth, deepest)
            elif byte in b"]}":
                depth -= 1
                ended = depth == 0
