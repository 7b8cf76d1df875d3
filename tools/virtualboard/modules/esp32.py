"""The chip's esp32 module, as far as the firmware uses it."""

HEAP_DATA = 4
HEAP_EXEC = 1

# (total, free, largest free block, least free ever), as measured on an ESP32 with Wi-Fi up. The
# last one is the pool that TLS, the network and the growing heap of MicroPython share.
_REGIONS = [
    (7288, 0, 0, 0),
    (16648, 8, 0, 8),
    (79912, 13908, 13312, 13860),
    (15072, 2604, 2560, 2604),
    (113840, 94176, 94176, 94176),
]
_TOTAL = 113840


class _Page:
    """The pool: bytes that are free, and the least that were. With HEAP=chip, the launcher puts a
    page in its place that the heap's growth counts in as well.
    """

    pool = least = 94176


_page = _Page


def _pool():
    return _page.pool


def _take(size):
    """Allocate as the chip's C code does; negative: free. Returns False if there is no space."""
    free = _page.pool - size
    if free < 0:
        return False
    _page.pool = free
    if free < _page.least:
        _page.least = free
    return True


def idf_heap_info(capabilities):
    free = _page.pool
    _page.least = min(free, _page.least)
    return _REGIONS[:-1] + [(_TOTAL, free, free, _page.least)]


def raw_temperature():
    return 128  # degrees Fahrenheit
