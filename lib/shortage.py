"""Says that the heap is too small for the firmware, which boot.py has found out.

Of a start that fails for want of memory later, `crash` tells.
"""

import gc
import sys

from micropython import const

_ENOUGH = const(32000)  # bytes, compiled, with the default settings; on 64 bits twice that

print(
    "not enough memory: %d bytes are free, and the firmware takes about %d,\n"
    "so main.py does nothing now. A virtual board gets more by HEAP=128k, a real one\n"
    "by leaving out what else it loads (docs/safety.md)."
    % (gc.mem_free(), _ENOUGH << (sys.maxsize >> 62))
)
