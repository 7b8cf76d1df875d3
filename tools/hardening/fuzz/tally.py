"""Sum up the recorded runs of `make fuzz`: tally.json, and a part of docs/reliability.md."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from pathlib import Path

from tools import ROOT
from tools.docs import sections

FILE = Path(__file__).with_name("tally.json")


def add(counts: Counter[str], finds: int, seconds: float) -> None:
    """Add a run and update the document."""
    runs = load()
    runs.append(
        {
            **sections.now(),
            "minutes": round(seconds / 60, 1),
            "finds": finds,
            "inputs": dict(sorted(counts.items())),
        }
    )
    FILE.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    sections.put(ROOT / "docs" / "reliability.md", "make fuzz", text(runs))


def load() -> list[dict]:
    """Return all runs so far."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []


def text(runs: list[dict]) -> str:
    """Return the section of docs/reliability.md."""
    total: Counter[str] = Counter()
    for run in runs:
        for what, count in run["inputs"].items():
            # What is exhaustive is the same each time, and counts once.
            total[what] = count if " every " in what else total[what] + count
    rows = [(what, f"{count:,}") for what, count in sorted(total.items())]
    rows.append(("in all", f"{total.total():,}"))
    latest = runs[-1]
    minutes = sum(run["minutes"] for run in runs)
    finds = sum(run["finds"] for run in runs)
    about = (
        f"{len(runs)} runs, {minutes:.0f} minutes in all, the latest on {sections.when(latest)}; "
        f"{finds} finds in all, {latest['finds']} of them in the latest run. Each one is in "
        "`tools/hardening/fuzz/corpus/`, has a test, or was a mistake of the tool itself."
    )
    return f"{textwrap.fill(about, 100)}\n\n{sections.table(('fuzzed', 'inputs'), rows)}"
