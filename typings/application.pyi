from typing import Any

from panel import Panel

from wsserver import Server

class Board:
    """The argument of an application's setup(board): docs/applications.md."""

    server: Server
    settings: dict[str, dict[str, Any]]
    name: str
    https_port: int | None
    @property
    def panel(self) -> Panel: ...
