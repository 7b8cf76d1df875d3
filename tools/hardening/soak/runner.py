"""Run a soak test on a board of its own."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from pathlib import Path

from tools.bench.report import machine
from tools.certs import cli as certs
from tools.docs import sections
from tools.virtualboard import VirtualBoard

from . import board as boards
from . import report
from .load import Soak

HEAP = "192k"  # here TLS takes its memory from it, too
SERVER = {"max_clients": 7, "ping_interval": 3, "ping_timeout": 3, "open_timeout": 3}
SAMPLES = 240
STEADY = 5  # clients that stay to the end: four that send, and one that asks for the memory


def soak(hours: float, samples: Path | None, check: bool, redraw: Path | None) -> int:
    """Run the soak test and write its report. Return 0, or 1 if there were problems.

    samples: a file for all samples. check: do not write docs/. redraw: a file of samples to
    report on instead of a run.
    """
    found = json.loads(redraw.read_text()) if redraw else run(hours * 3600)
    if samples:
        samples.write_text(json.dumps(found, indent=1))
    if not check:
        report.write(found)
    print(report.text(found))
    return 1 if found["problems"] else 0


def run(seconds: float) -> dict:
    """Run the soak test on a board of its own and return the samples and problems."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(certs.temporary())
        files = boards.files(tls=True, routes=False, **SERVER)
        board = stack.enter_context(VirtualBoard(files=files, heap=HEAP, certs=folder))
        board.wait_ready(30)
        soak = Soak(board.http_port, board.https_port)
        samples = _watch(soak, board, seconds)
        soak.stop_trouble()
        last = _settled(soak)
        soak.stop()
        problems = soak.problems + _left_over(last)
        problems += report.tracebacks(board.log)
    return {
        "machine": {**machine(), **sections.now(), "heap": HEAP},
        "seconds": seconds,
        "samples": samples,
        "messages": soak.messages,
        "troubles": dict(soak.troubles),
        "problems": problems,
        "last": last,
        "tracebacks": board.log.count("Traceback"),
    }


def _watch(soak, board, seconds):
    soak.start()
    samples = []
    started = time.monotonic()
    pause = max(2.0, seconds / SAMPLES)
    while time.monotonic() - started < seconds:
        threading.Event().wait(min(pause, max(0.1, started + seconds - time.monotonic())))
        latencies = soak.take_latencies()
        health = soak.health()
        if "error" in health or not latencies:
            soak.problems.append(f"no answer from the board: {health} {board.log[-500:]}")
            if not board.is_running:
                break
            continue
        sample = {
            "at": round(time.monotonic() - started, 1),
            "p50": report.at(latencies, 0.5),
            "p99": report.at(latencies, 0.99),
            "messages": soak.messages,
            **health,
        }
        samples.append(sample)
        print(json.dumps(sample), file=sys.stderr, flush=True)
    return samples


def _settled(soak):
    """Return the board's health when the closed connections are forgotten, or after 15 s."""
    end = time.monotonic() + 15
    while True:
        health = soak.health()
        if not _left_over(health) or time.monotonic() > end:
            return health
        time.sleep(0.2)


def _left_over(last):
    if last.get("clients") != STEADY or last.get("visitors") != 0:
        return [f"not only the steady clients were left: {last}"]
    return []
