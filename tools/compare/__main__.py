"""The command line of `make compare`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tools import sections
from tools.bench.report import machine

from . import checks
from .servers import SERVERS, Server

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make compare")
    parser.add_argument("--only", help="checks with this in their name, and write nothing")
    options = parser.parse_args(arguments)
    rows = []
    for what, check in checks.CHECKS:
        if options.only and options.only not in what:
            continue
        cells = [outcome(server, check) for server in SERVERS]
        print(f"{what}:", *cells, sep="\n    ", flush=True)
        rows.append([what, *cells])
    if not options.only:
        sections.put(DOCUMENT, "make compare", text(rows))
    return 0


def outcome(server: Server, check: checks.Check) -> str:
    """What comes of a check, on a fresh board."""
    with server.running() as board:
        try:
            return check(board)
        except OSError as error:
            return f"not served: {type(error).__name__}"


def text(rows: list[list[str]]) -> str:
    """The section of docs/reliability.md."""
    heads = ["", *(server.name for server in SERVERS)]
    lines = [heads, ["---"] * len(heads), *rows]
    table = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    about = machine()
    return f"On {time.strftime('%Y-%m-%d')}, {about['processor']}, {about['system']}.\n\n{table}"


if __name__ == "__main__":
    sys.exit(main())
