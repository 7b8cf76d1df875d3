"""Connect a board to an MQTT broker, so that a gateway can serve any number of viewers.

docs/fleet.md describes the topics. Loaded only if fleet.enabled: `mqtt`, `packets` and `bridge`
stay loaded, and `remote` from the first message of a viewer on. `opening`, `resolver`, `clock` and
`addresses` are loaded while a connection is opened, `losing` when it is lost, `state` and
`discovery` while they publish.
"""


def start(board) -> None:
    """Connect the server of a board to the broker, and keep it connected.

    board: has `server`, `settings`, `name`, and `panel`, which may be None.
    """
    from .bridge import Bridge

    Bridge(board)
