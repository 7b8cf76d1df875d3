"""What follows the loss of a connection: log line, backoff, repetition. Loaded while it runs."""

from os import urandom
from time import ticks_add, ticks_ms

from micropython import const

from wsserver import WARNING
from wsserver.log import describe

from . import addresses

_FIRST_DELAY = const(1000)  # ms until the second attempt
_DUP = const(8)  # flag of a PUBLISH that may have been received already (3.3.1.1)


def plan(client, error) -> None:
    """Log why there is no connection, and choose the time of the next attempt."""
    options = client.options
    for _, packet in client.queue[: client.sent]:
        packet[0] |= _DUP
    client.sent = 0
    longest = int(options["backoff"] * 1000)
    is_final = isinstance(error, addresses.RefusedError)  # it would be refused again
    delay = longest if is_final else min(max(2 * client.delay, _FIRST_DELAY), longest)
    client.delay = delay
    jitter = delay // 2 * urandom(1)[0] >> 8
    client.due = ticks_add(ticks_ms(), delay // 2 + jitter)
    reason = " ".join(describe(error).split())  # Mbed TLS writes several lines
    if reason != client.reason:  # each reason is logged once
        client.reason = reason
        host = addresses.choose(options, client.attempts)[0]
        text = "fleet: %s: %s; trying again in up to %s s"
        client.server.log(WARNING, text % (host, reason, options["backoff"]))
    client.attempts += 1
