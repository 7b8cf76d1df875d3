"""Compare this server with others and write the table in docs/reliability.md."""

from __future__ import annotations

from tools import ROOT
from tools.bench.report import machine
from tools.docs import sections

from . import checks
from .servers import SERVERS, Server

DOCUMENT = ROOT / "docs" / "reliability.md"


def compare(only: str = "") -> None:
    """Run all checks on all servers and write the table. only: part of a check's name."""
    rows = []
    for what, check in checks.CHECKS:
        if only not in what:
            continue
        cells = [outcome(server, check) for server in SERVERS]
        print(f"{what}:", *cells, sep="\n    ", flush=True)
        rows.append([what, *cells])
    if not only:
        sections.put(DOCUMENT, "make compare", text(rows))


def outcome(server: Server, check: checks.Check) -> str:
    """Return a check's result on a fresh board."""
    with server.running() as board:
        try:
            return check(board)
        except OSError as error:
            return f"not served: {type(error).__name__}"


def text(rows: list[list[str]]) -> str:
    """Return the section of docs/reliability.md."""
    table = sections.table(["", *(server.name for server in SERVERS)], rows)
    about, when = machine(), sections.when(sections.now())
    return f"On {when}, {about['processor']}, {about['system']}.\n\n{table}"
