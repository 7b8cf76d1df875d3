"""The chip's time module: the clock starts at 2000-01-01 00:00:00, its epoch, and counts from
there.
"""

from utime import gmtime as _gmtime
from utime import mktime as _mktime
from utime import (
    sleep,
    sleep_ms,
    sleep_us,
    ticks_add,
    ticks_cpu,
    ticks_diff,
    ticks_ms,
    ticks_us,
)
from utime import time_ns as _time_ns

_EPOCH = 946684800  # 2000-01-01 in the host's count, which starts in 1970
_started = _time_ns()


def time_ns():
    return _time_ns() - _started


def _set(seconds):
    """For machine.RTC: the time is `seconds` now."""
    global _started
    _started = _time_ns() - seconds * 1000000000


def time():
    return time_ns() // 1000000000


def gmtime(seconds=None):
    return _gmtime((time() if seconds is None else seconds) + _EPOCH)[:8]


localtime = gmtime


def mktime(date):
    return int(_mktime(date)) - _EPOCH  # the supervisor sets TZ=UTC
