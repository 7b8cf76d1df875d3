"""Has allocating take less time on a large heap, that of a chip with PSRAM. Only loaded there, and
not dropped: that would leave new holes.
"""

import gc

from micropython import const

_GARBAGE = const(131072)  # bytes, for which alone no such chip should collect
_GAP = const(512)  # pointers: room enough that what lies before it counts as full of holes
_MOST = const(4096)  # holes that are filled


def tune():
    """Have garbage collected more often, since each search for a free place goes through all of
    it, and fill the holes among what stays, since each search begins at the first. Returns what
    fills them, for as long as it is kept; None, where somebody has set gc.threshold before.
    """
    if gc.threshold() >= 0:
        return None
    gc.threshold(max((gc.mem_free() + gc.mem_alloc()) >> 3, _GARBAGE))
    gc.collect()
    end = id((None,) * _GAP)  # where it is
    filling = None
    for _ in range(_MOST):
        filling = (filling,)  # one block of the heap
        if id(filling) > end:
            break
    return filling
