"""GC tuning for boards with PSRAM.

On a large heap, collecting is slow, and so is the search for a free block, which begins at the
first one. Loaded by Server.run() on such boards only, and kept: unloading would leave new holes.
"""

import gc

from micropython import const

from .lazy import collect_every

_LEAST_GARBAGE = const(131072)  # bytes: collecting more often would cost more than it saves
_GAP = const(512)  # pointers: a free block of this size lies behind the fragmented part
_MAX_BLOCKS = const(4096)


def tune():
    """Collect garbage before the heap is full, and fill the holes among long-lived objects.

    Return the blocks that fill them, which the caller must keep; or None if the program has set
    gc.threshold itself.
    """
    if not collect_every(max((gc.mem_free() + gc.mem_alloc()) >> 3, _LEAST_GARBAGE)):
        return None
    gc.collect()
    end = id((None,) * _GAP)
    blocks = None
    for _ in range(_MAX_BLOCKS):
        blocks = (blocks,)  # takes the first free block of the heap
        if id(blocks) > end:
            break
    return blocks
