from typing import Any

from panel import Panel

from wsserver import Server

class Board:
    """What the firmware gives to an application: docs/applications.md."""

    server: Server
    settings: dict[str, dict[str, Any]]
    name: str
    https_port: int | None
    @property
    def panel(self) -> Panel: ...
