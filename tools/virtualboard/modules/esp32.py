"""The chip's esp32 module, as far as the firmware uses it."""

HEAP_DATA = 4
HEAP_EXEC = 1

# (total, free, largest free block, least free ever), as measured on an ESP32 with Wi-Fi up
_REGIONS = [
    (7288, 0, 0, 0),
    (16648, 8, 0, 8),
    (79912, 13908, 13312, 13860),
    (15072, 2604, 2560, 2604),
    (113840, 94176, 94208, 92000),
]


def _take(size):
    """What the chip's C code allocates, from the last region. False: there is no room."""
    total, free, _, least = _REGIONS[-1]
    if size > free:
        return False
    free -= size
    _REGIONS[-1] = (total, free, free, min(free, least))
    return True


def idf_heap_info(capabilities):
    return list(_REGIONS)


def raw_temperature():
    return 128  # degrees Fahrenheit
