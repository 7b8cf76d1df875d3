class Limits:
    """Limits for each IP address; None means no limit."""

    def __init__(
        self,
        connections: int | None = None,
        handshakes: int | None = None,
        messages: int | None = None,
        bytes: int | None = None,
    ) -> None: ...
