"""Connect a board to an MQTT broker, so that a gateway can serve any number of viewers.

docs/fleet.md describes the topics. Loaded only if fleet.enabled: `bridge` and `packets` stay
loaded, and `remote` and `incoming` while there are remote clients. Others are loaded while
they work: `connect`, `resolver`, `clock` and `backoff` until a connection is open, `backoff` when
it is lost, `state` and `discovery` while they publish, and `streams` with the first stream.
"""


def start(board) -> None:
    """Connect the server of a board to the broker, and keep it connected.

    board: has `server`, `settings`, `name`, and `panel`, which may be None.
    """
    from .bridge import Bridge

    Bridge(board)
