"""Boards that run program.py, which reports its health."""

from __future__ import annotations

import json
from pathlib import Path

PROGRAM = Path(__file__).with_name("program.py")


def files(
    tls: bool = False, level: int | None = None, routes: bool = False, **server: object
) -> dict[str, str | bytes]:
    """Return the files for a virtual board. server: the arguments of Server.

    level: the least log level that is printed, WARNING if it is None. routes: whether there are
    routes for bodies.
    """
    options: dict[str, object] = {"tls": tls, "routes": routes, "server": server}
    if level is not None:
        options["level"] = level
    program = PROGRAM.read_text(encoding="utf-8")
    return {"main.py": program, "options.json": json.dumps(options)}
