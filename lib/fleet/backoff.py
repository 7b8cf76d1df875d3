"""The broker's address, and the time until it is tried again. Loaded while one is needed."""

from os import urandom
from time import ticks_add, ticks_ms

from micropython import const

from wsserver import WARNING
from wsserver.log import describe

_PORT = const(1883)
_PORT_TLS = const(8883)
_NEXT = const(200)  # ms until the next host is tried
_FIRST_DELAY = const(500)  # ms until all hosts are tried again
_DUP = const(8)  # flag of a PUBLISH that may have been received already (3.3.1.1)


def find(settings: dict, failures: int) -> tuple:
    """Return (host, port, number of hosts) of this attempt: those of fleet.host take turns.

    Raises ValueError if a port is not a number.
    """
    hosts = settings["host"].split(",")
    host, _, port = hosts[failures % len(hosts)].strip().partition(":")
    port = int(port or settings["port"] or (_PORT_TLS if settings["tls"] else _PORT))
    return host, port, len(hosts)


def report(client, error) -> None:
    """Log why there is no connection, and choose the time of the next attempt."""
    settings = client.settings
    for _, packet in client.queue[: client.sent]:
        packet[0] |= _DUP
    client.sent = 0
    host, count = settings["host"], 1
    if not isinstance(error, ValueError):  # the address itself may be wrong
        host, _, count = find(settings, client.failures)
    longest = int(settings["backoff"] * 1000)
    client.failures += 1
    if isinstance(error, ValueError):  # it would be refused again
        delay = longest
    elif client.failures % count:  # another node of the cluster may be ready
        delay = _NEXT
    else:
        delay = min(max(client.backoff, _FIRST_DELAY), longest)
        client.backoff = 2 * delay
    jitter = delay // 2 * urandom(1)[0] >> 8
    client.due = ticks_add(ticks_ms(), delay // 2 + jitter)
    reason = " ".join(describe(error).split())  # Mbed TLS writes several lines
    if reason != client.reason:  # each reason is logged once
        client.reason = reason
        text = "fleet: %s: %s; trying again in up to %s s"
        client.server.log(WARNING, text % (host, reason, settings["backoff"]))
