"""Read config.json within the limits of a board's memory.

Loaded for the read alone: the rules of `schema` need the memory afterwards.
"""

import errno
import json

from micropython import const

MAX_BYTES = 4096
_PIECE = const(256)  # bytes per read
_MAX_DEPTH = const(8)  # nested brackets; valid settings need three


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
                value = json.load(file)
                if isinstance(value, dict):
                    return value, None
                return {}, "the whole file: must be an object {...}; using defaults"
    except OSError as error:
        if error.errno == errno.ENOENT:  # a new board has no file
            return {}, None
        return {}, "cannot be read (%s); using defaults" % error
    except (ValueError, UnicodeError):
        pass
    place = ""
    try:
        from .place import find

        place = find(path)
    except (MemoryError, OSError):
        pass
    text = "is not JSON, or incomplete%s; using defaults: correct it or remove it"
    return {}, text % (place and " (%s)" % place)


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
