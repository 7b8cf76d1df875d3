"""The figures of `make faults`: figures.json, and the tables in docs/reliability.md made of it.

A run of some of the tests replaces their rows only.
"""

from __future__ import annotations

import json
from pathlib import Path

from tools.docs import sections

FILE = Path(__file__).with_name("figures.json")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
# Table -> the heads of its columns; the first is what was done.
TABLES = {
    "slow": (
        "three clients at a time, repeatedly",
        "other clients: median and p99, ms",
        "a quiet board: the same",
        "round trips of the other clients",
    ),
    "dead": ("behaviour of the client", "dropped after, s", "limit, s"),
    "network": ("network", "messages", "packets", "lost", "duplicated", "errors"),
    "heap": ("heap of the board", "the board", "the five clients"),
    "memory": (
        "memory ends during",
        "points at which it ended",
        "other clients lost",
        "heap in use before and after, bytes",
    ),
    "churn": (
        "connections (7 of 10 end within a frame or the handshake)",
        "heap in use before, bytes",
        "after",
        "clients and sockets left",
    ),
    "transfers": (
        "transfer, beside four clients",
        "heap, bytes",
        "other clients: p99, ms",
        "without it",
    ),
    "power": ("power cut during", "cuts", "state afterwards"),
    "descriptors": ("sockets of the board", "clients", "further connections", "result"),
}


class Figures:
    """Collects rows for the tables until the session ends."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[str]]] = {}

    def add(self, table: str, what: str, *cells: object) -> None:
        """Add a row, or replace the one of the same name. Call this before assertions."""
        if len(cells) + 1 != len(TABLES[table]):
            raise ValueError(f"a row of {table} has {len(TABLES[table])} columns")
        self._rows.setdefault(table, {})[what] = [str(cell) for cell in cells]

    def write(self) -> None:
        """Write all rows into the file and the document."""
        if not self._rows:
            return
        kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        for table, rows in self._rows.items():
            old = kept.get(table, {"rows": {}})["rows"]
            kept[table] = {**sections.now(), "rows": {**old, **rows}}
            sections.put(DOCUMENT, f"make faults: {table}", text(table, kept[table]))
        FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def text(table: str, content: dict) -> str:
    """Return a table of the document."""
    rows: list[list[str]] = []
    for what, cells in content["rows"].items():
        if table == "heap" and rows and rows[-1][1:] == cells:  # one row for all with this result
            rows[-1][0] = f"{rows[-1][0].split()[0]} to {what}"
        else:
            rows.append([what, *cells])
    return f"Measured on {sections.when(content)}.\n\n{sections.table(TABLES[table], rows)}"
