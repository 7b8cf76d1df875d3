"""Find unused ports of this machine."""

from __future__ import annotations

import contextlib
import random
import socket

_CHANCE = random.SystemRandom()  # tests seed the usual one


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return an unused port of this machine, of TCP or UDP.

    It is below those that systems give to outgoing connections, which could take it meanwhile, and
    above 10080, which browsers refuse.
    """
    while True:
        port = _CHANCE.randrange(10081, 32768)
        with socket.socket(type=kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
