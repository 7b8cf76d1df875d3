"""Restarts the board, after everybody has got what was sent. Loaded by those who want it."""

from time import ticks_diff, ticks_ms

import machine

_SERVICE_RESTART = 1012
_LOOK = 100  # ms
_MOST = 3000  # ms that it waits for clients that do not answer


def soon(server) -> None:
    """Say goodbye to all clients, and restart when they have gone."""
    begun = ticks_ms()

    def look():
        if not server.clients or ticks_diff(ticks_ms(), begun) >= _MOST:
            machine.reset()

    for client in server.clients:
        client.close(_SERVICE_RESTART, "the board restarts")
    server.every(_LOOK, look)
