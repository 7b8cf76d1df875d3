"""Reads config.json and returns complete, valid settings.

An invalid field falls back to its default and is logged. A broken file never prevents the board
from starting.
"""

import errno
import gc
import json

from .schema import validate

MAX_BYTES = 4096
_MAX_DEPTH = 8  # nested brackets; valid settings need three
_LARGE_HEAP = 300000  # bytes, on ports other than the ESP32's
_PSRAM = 1 << 20  # bytes; no region of internal RAM is this large


def load(path: str = "/config.json", log=print) -> dict:
    """Return the settings as {section: {field: value}}. Report problems with log(text)."""
    settings = None
    try:
        raw, problem = read_raw(path)
        settings, problems = validate(raw, has_large_heap())
        if problem:
            problems = [problem]
    except MemoryError:  # a few KB of brackets are enough
        pass
    if settings is None:
        gc.collect()  # only outside of `except` is the parsed data no longer referenced
        settings, _ = validate({})
        problems = ["does not fit into memory; using defaults: correct it or remove it"]
    for text in problems:
        log("%s: %s" % (path, text))
    return settings


def read_raw(path: str) -> tuple:
    """Return (parsed JSON, problem). The JSON is {} if the file is missing or unusable.

    problem is None or a text. A missing file is no problem.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            # read(n) allocates n bytes, whatever the size of the file.
            data = file.read(min(size, MAX_BYTES + 1))
    except OSError as error:
        if error.errno == errno.ENOENT:  # a new board has no file
            return {}, None
        return {}, "cannot be read (%s); using defaults" % error
    if len(data) > MAX_BYTES:
        return {}, "is longer than %d bytes; using defaults" % MAX_BYTES
    if _depth(data) > _MAX_DEPTH:
        # json.loads() would exhaust the heap.
        return {}, "is nested too deeply; using defaults: correct it or remove it"
    try:
        # Editors on Windows begin a file with a byte order mark.
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        return json.loads(str(data[start:], "utf-8")), None
    except (ValueError, UnicodeError):
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


def _depth(data):
    """Return the deepest nesting of brackets. Brackets in strings do not count."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return 0
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            in_string = escaped or byte != 34
            escaped = not escaped and byte == 92
        elif byte == 34:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(depth, deepest)
        elif byte in b"]}":
            depth -= 1
    return deepest
