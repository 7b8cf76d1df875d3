"""The broker's addresses, and what it refuses. Loaded while one is needed."""

from micropython import const

_PORT = const(1883)
_PORT_TLS = const(8883)
_UNAVAILABLE = const(3)
_REFUSALS = {  # the codes of CONNACK (3.2.2.3)
    1: "the broker does not support MQTT 3.1.1",
    2: "the broker refuses the client id",
    4: "wrong user or password (fleet.user, fleet.password)",
    5: "wrong user or password, or not authorized (fleet.user, fleet.password)",
}


class RefusedError(ValueError):
    """The broker refuses the client for good."""


def choose(options: dict, attempt: int) -> tuple:
    """Return (host, port) of the broker for this attempt: those of fleet.host take turns.

    Raises ValueError if a port is not a number.
    """
    hosts = options["host"].split(",")
    host, _, port = hosts[attempt % len(hosts)].strip().partition(":")
    return host, int(port or options["port"] or (_PORT_TLS if options["tls"] else _PORT))


def check_answer(code: int) -> None:
    """Raise OSError or RefusedError unless the code of a CONNACK is 0."""
    if code == _UNAVAILABLE:
        raise OSError("the broker is not available")
    if code:
        raise RefusedError(_REFUSALS.get(code) or "the broker refuses with code %d" % code)
