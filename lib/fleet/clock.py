"""Set the clock by NTP (RFC 4330), because TLS checks the validity of certificates."""

import time
from os import urandom

from micropython import const

from . import resolver

_PORT = const(123)
_FIRST_YEAR = const(2025)  # an earlier year: the clock is not set, chips start at 2000
_SIZE = const(48)  # bytes of a packet


def is_set() -> bool:
    """Return whether the clock can be right."""
    return time.gmtime()[0] >= _FIRST_YEAR


def check(server: str):
    """Yield until the clock is set, by the NTP server if it is not yet.

    Raises OSError if it cannot be set.
    """
    if is_set():
        return
    if not server:
        raise OSError("the clock is not set, and there is no NTP server (fleet.ntp)")
    _, address = yield from resolver.resolve(server)
    # The answer returns the timestamp at the end, here a random number.
    request = b"\x1b" + bytes(_SIZE - 9) + urandom(8)
    seconds = yield from resolver.answer(address, _PORT, request, _read)
    if not seconds:
        raise OSError("the clock is not set: no answer of the NTP server %s (fleet.ntp)" % server)
    _set(seconds)


def _read(request, data):
    """Return the seconds since NTP's epoch, or None."""
    if len(data) < _SIZE or data[24:32] != request[40:] or not data[40]:
        return None
    return int.from_bytes(data[40:44], "big")


def _set(seconds):
    from machine import RTC

    # From NTP's epoch, 1900, to that of this port: 2000 on an ESP32, 1970 on others.
    epoch = 3155673600 if time.gmtime(0)[0] == 2000 else 2208988800
    now = time.gmtime(seconds - epoch)
    RTC().datetime((now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0))
