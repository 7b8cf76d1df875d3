"""Run all fuzzers at the same time and report what failed."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import ROOT

from . import firmware, network, seeds, tally

FOLDER = ROOT / "build" / "fuzz"
EXHAUSTIVE = "the core: every header of a frame, every text of up to three bytes"
TURN = 120  # s with one board, that of the library or that of the firmware, before the other
MOST_FINDS = 5  # by a live board; each costs a new one
# (target, how, what it is)
RUNS = (
    ("session", "guided", "the core: frames, guided by coverage"),
    ("session", "random", "the core: frames, random changes"),
    ("request", "guided", "the core: requests, guided by coverage"),
    ("request", "random", "the core: requests, random changes"),
    ("body", "guided", "bodies: lengths and chunks, guided by coverage"),
    ("multipart", "guided", "bodies: multipart forms, guided by coverage"),
    ("query", "random", "bodies: queries, forms and JSON, random changes"),
    ("packets", "guided", "the fleet: MQTT packets, guided by coverage"),
)


def add_find(file: Path, target: str, remark: str) -> int:
    """Add an input that made a run fail to the corpus."""
    print(seeds.save(target, file.name[-12:], file.read_bytes(), remark))
    return 0


def run(seconds: float, document: bool) -> int:
    """Fuzz for so long. Return 0, or 1 if inputs failed, after printing them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    commands = {
        what: ["guided", target, f"{seconds:.0f}", FOLDER, how] for target, how, what in RUNS
    }
    commands[EXHAUSTIVE] = ["exhaustive"]
    processes = {what: _start(what, *command) for what, command in commands.items()}
    try:
        counts, problems = _watch(processes, seconds)
    finally:
        for process in processes.values():
            process.kill()  # Ctrl-C: those that still run
    for what, count in sorted(counts.items()):
        print(f"{count:>12,}  {what}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"inputs that failed are in {FOLDER}; FIND=file adds one to the corpus")
    if document:
        tally.add(counts, len(problems), seconds)
    return 1 if problems else 0


def _watch(processes, seconds):
    """Fuzz live boards meanwhile. Return (the number of inputs of each kind, the problems)."""
    problems: list[str] = []
    counts: Counter[str] = Counter()
    live: Counter[str] = Counter()
    end = time.monotonic() + seconds
    turns: Iterator[Callable[[float, Counter[str]], None]]
    turns = itertools.cycle((network.run, firmware.run))
    while (left := end - time.monotonic()) > 0 and len(problems) < MOST_FINDS:
        try:
            next(turns)(min(left, TURN), live)
        except network.FindError as find:
            problems.append(str(find))
    counts.update({f"a live board: {kind}": count for kind, count in live.items()})
    for what, process in processes.items():
        status = process.wait()
        log = _log_of(what).read_text(encoding="utf-8", errors="replace")
        found = re.findall(r"(?:Done |executed_units: *)(\d+)", log)
        counts[what] = int(found[-1]) if found else 0
        if status:
            problems.append(f"{what}:\n{log[-2500:]}")
    return counts, problems


def _start(what, module, *arguments):
    # To a file: a pipe that is not read while the others run would fill up.
    with _log_of(what).open("w") as log:
        command = [sys.executable, "-m", f"tools.hardening.fuzz.{module}", *arguments]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)


def _log_of(what):
    return FOLDER / f"{re.sub('[^a-z]+', '-', what)}.log"
