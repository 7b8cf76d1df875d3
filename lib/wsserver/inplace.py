"""Where the code of a module lies, and how much of the heap it takes. Loaded for each question."""

import sys


def level(file: str) -> int:
    """Return 0 for code in the heap, 1 for code in a ROMFS and 2 for frozen code.

    file: the __file__ of the module; that of a frozen module has no folder. Code in a ROMFS runs
    in place, but its names and functions are in the heap.
    """
    if not file.startswith("/"):
        return 2
    return 1 if file.startswith("/rom/") else 0


def need(size: int, file: str) -> int:
    """Return the bytes that code takes here. size: what it takes on a chip, from a file."""
    return size << (sys.maxsize >> 62) >> level(file)  # objects of 64-bit machines are larger
