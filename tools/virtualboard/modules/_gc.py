"""The chip's gc module, for HEAP=chip: it reports the memory of a chip.

The launcher replaces the built-in module by it: a file alone would not be found before that.
"""

from gc import collect, disable, enable, isenabled, threshold
from gc import mem_alloc as _mem_alloc
from gc import mem_free as _mem_free

import esp32 as _esp32

_hidden = 0  # bytes in use that a chip has elsewhere


def mem_alloc():
    return _mem_alloc() - _hidden


def mem_free():
    """The heap could grow by the largest block of the other one, which counts as free, too."""
    return _mem_free() + max(_esp32._pool(), _esp32._REGIONS[2][2])
