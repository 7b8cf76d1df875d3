"""Restart the board after a graceful shutdown of all connections."""

from time import ticks_diff, ticks_ms

import machine
from micropython import const

_SERVICE_RESTART = const(1012)  # close code
_INTERVAL = const(100)  # ms between two checks
_TIMEOUT = const(3000)  # ms until clients that do not answer are dropped


def soon(server) -> None:
    """Close all clients and restart when they are gone."""
    begun = ticks_ms()

    def check():
        if not server.clients or ticks_diff(ticks_ms(), begun) >= _TIMEOUT:
            machine.reset()

    for client in server.clients:
        client.close(_SERVICE_RESTART, "the board restarts")
    server.every(_INTERVAL, check)
