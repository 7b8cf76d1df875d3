"""The command line of `make fuzz`."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from tools import sections

from . import network, seeds

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
# (target, how, what it is)
RUNS = (
    ("session", "guided", "frames: the sans-I/O core, guided by coverage"),
    ("session", "random", "frames: the sans-I/O core, random changes"),
    ("request", "guided", "requests: the sans-I/O core, guided by coverage"),
)


def main(arguments: list[str] | None = None) -> int:
    """0: no find; 1: a find, which is printed."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--find", type=Path, help="add a file that made a run fail to the corpus")
    parser.add_argument("--target", choices=("session", "request"), default="session")
    parser.add_argument("--remark", default="a find of make fuzz")
    parser.add_argument("--document", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args(arguments)
    if options.find:
        data = options.find.read_bytes()
        print(seeds.save(options.target, options.find.name[-12:], data, options.remark))
        return 0
    return _run(options.minutes * 60, options.document)


def _run(seconds, document):
    FOLDER.mkdir(parents=True, exist_ok=True)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tools.fuzz.guided", target, f"{seconds:.0f}", FOLDER, how],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        for target, how, _ in RUNS
    ]
    problems = []
    counts = {}
    try:
        what = "sessions, requests and TLS: a live virtual board"
        counts[what] = network.run(seconds)
    except network.FindError as find:
        problems.append(str(find))
    for process, (_, _, what) in zip(processes, RUNS, strict=True):
        _, log = process.communicate()
        found = re.findall(r"(?:Done |executed_units: *)(\d+)", log)
        counts[what] = int(found[-1]) if found else 0
        if process.returncode:
            problems.append(f"{what}:\n{log[-2500:]}")
    for what, count in counts.items():
        print(f"{count:>12,}  {what}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"inputs that failed are in {FOLDER}; FIND=file adds one to the corpus")
    if document:
        sections.put(ROOT / "docs" / "reliability.md", "make fuzz", text(counts, problems))
    return 1 if problems else 0


def text(counts: dict[str, int], problems: list[str]) -> str:
    """The section of docs/reliability.md."""
    rows = "".join(f"| {what} | {count:,} |\n" for what, count in counts.items())
    return (
        f"The latest run, on {time.strftime('%Y-%m-%d')}, with {len(problems)} finds:\n\n"
        f"| what is fuzzed | inputs |\n| --- | --- |\n{rows}"
    )


if __name__ == "__main__":
    sys.exit(main())
