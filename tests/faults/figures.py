"""What the long versions have measured: figures.json, and the tables of docs/reliability.md that
are made of it. A run of some of the tests replaces their rows only.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from tools.docs import sections

FILE = Path(__file__).with_name("figures.json")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
# Table -> the heads of its columns; the first is what was done.
TABLES = {
    "slow": (
        "three at a time, again and again",
        "the others' median and p99, ms",
        "a quiet board's meanwhile",
        "round trips of the others",
    ),
    "dead": ("what the client does", "gone after, s", "allowed, s"),
    "network": ("network", "messages", "packets carried", "lost", "doubled", "went wrong"),
    "heap": ("heap of the board", "what it does", "what becomes of the five"),
    "memory": (
        "what is going on when memory ends",
        "points at which it ended",
        "others that were lost",
        "heap in use before and after, bytes",
    ),
    "churn": (
        "connections, of which 7 in 10 end within something",
        "heap in use before, bytes",
        "after",
        "clients and sockets left",
    ),
    "power": ("what is going on when the power fails", "times", "what the board has then"),
    "descriptors": ("sockets of the board", "clients", "more that connect", "what happens"),
}


class Figures:
    """Rows for the tables, kept until the session ends."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[str]]] = {}

    def add(self, table: str, what: str, *cells: object) -> None:
        """A row; it replaces the one of the same name. To be called before what may fail."""
        if len(cells) + 1 != len(TABLES[table]):
            raise ValueError(f"a row of {table} has {len(TABLES[table])} columns")
        self._rows.setdefault(table, {})[what] = [str(cell) for cell in cells]

    def write(self) -> None:
        """Put all rows into the file and the document."""
        if not self._rows:
            return
        kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        for table, rows in self._rows.items():
            old = kept.get(table, {"rows": {}})["rows"]
            kept[table] = {"date": time.strftime("%Y-%m-%d"), "rows": {**old, **rows}}
            sections.put(DOCUMENT, f"make faults: {table}", text(table, kept[table]))
        FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def text(table: str, content: dict) -> str:
    """A table as the document has it."""
    heads = TABLES[table]
    lines = [heads, ["---"] * len(heads)]
    lines += [[what, *cells] for what, cells in content["rows"].items()]
    rows = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    return f"Measured on {content['date']}.\n\n{rows}"
