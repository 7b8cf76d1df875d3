"""The broker's addresses, and what it refuses. Loaded while one is needed."""

from micropython import const

_PORT = const(1883)
_PORT_TLS = const(8883)
_REFUSALS = {  # the codes of CONNACK (3.2.2.3)
    1: "the broker does not support MQTT 3.1.1",
    2: "the broker refuses the client id",
    3: "the broker is not available",
    4: "wrong user or password (fleet.user, fleet.password)",
    5: "wrong user or password, or not authorized (fleet.user, fleet.password)",
}


def choose(options: dict, attempt: int) -> tuple:
    """Return (host, port) of the broker for this attempt: those of fleet.host take turns.

    Raises ValueError if a port is not a number.
    """
    hosts = options["host"].split(",")
    host, _, port = hosts[attempt % len(hosts)].strip().partition(":")
    return host, int(port or options["port"] or (_PORT_TLS if options["tls"] else _PORT))


def refusal(code: int) -> str:
    """Return the meaning of a CONNACK's code."""
    return _REFUSALS.get(code) or "the broker refuses the connection with code %d" % code
