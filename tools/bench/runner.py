"""`make bench` and `make bench-check`."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from tools.virtualboard.interpreter import select_interpreter

from . import check, contenders, heap, loads, measure, memory, report, summary

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
BASELINE = Path(__file__).with_name("baseline.json")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def chosen_loads(only: str | None) -> list[loads.Load]:
    """Return the loads that --only names, all without it. Raises SystemExit if there is none."""
    parts = [part.strip().lower() for part in (only or "").split(",")]
    everything = loads.ALL_LOADS
    found = [load for load in everything if any(part in load.name.lower() for part in parts)]
    if not found:
        names = "\n  ".join(load.name for load in everything)
        raise SystemExit(f"bench: no load has {only!r} in its name. There are:\n  {names}")
    return found


def grow(most: int, heap: str, wanted: list[loads.Load]) -> list[float]:
    """Return seconds that one message takes of ours, for each load; inf where it failed."""
    start = functools.partial(
        contenders.on_board,
        contenders.program("ours", MOST=most),
        "/ws",
        heap=heap,
        sockets=most + 10,
    )
    server = start()
    try:
        with measure.Generator() as generator:
            answers = [measure.measure(generator, server, load) for load in wanted]
    finally:
        server.resume()
        server.stop()
    return [1 / answer["per_second"] if "error" not in answer else 9e9 for answer in answers]


def growths() -> dict[str, list[tuple[int, float]]]:
    """Measure the time for one message by clients and by bytes."""
    crowds = [loads.Load(f"{n} clients", "echo", clients=n) for n in loads.CLIENTS]
    sizes = [loads.Load(f"{n} B", "echo", n, in_flight=2) for n in loads.SIZES]
    return {
        "clients": list(zip(loads.CLIENTS, grow(max(loads.CLIENTS), "1m", crowds), strict=True)),
        "sizes": list(zip(loads.SIZES, grow(5, contenders.HEAP, sizes), strict=True)),
    }


def run(wanted: list[loads.Load], rounds: int, names=None) -> tuple[dict, ...]:
    """Return the summaries without TLS, with it, inside asyncio, of HTTP, of sleeping clients, of
    a task beside the server, and of clients beside a transfer.

    names: the contenders that are measured, or None for all.
    """
    found = []
    for group, contestants in (
        (loads.LOADS, contenders.CONTENDERS),
        (loads.TLS_LOADS, contenders.TLS_CONTENDERS),
        (loads.ASYNCIO_LOADS, contenders.ASYNCIO_CONTENDERS),
        (loads.HTTP_LOADS, contenders.HTTP_CONTENDERS),
        *((loads.SLEEPING_LOADS[word], contenders.OWN_SOCKETS[word]) for word in (64, 32)),
        (loads.LATE_LOADS, contenders.LATE_CONTENDERS),
        (loads.BESIDE_LOADS, contenders.BESIDE_CONTENDERS),
    ):
        part = [load for load in wanted if load in group]
        chosen = [one for one in contestants if names is None or one.name in names]
        found.append(summary.summarize(measure.run(chosen, part, rounds, say)) if part else {})
    return found[0], found[1], found[2], found[3], {**found[4], **found[5]}, found[6], found[7]


def bench(chosen: SimpleNamespace) -> int:
    parts = run(chosen_loads(chosen.only), chosen.rounds)
    for part in filter(None, parts):
        print(report.speeds(part), report.relations(part), sep="\n\n", end="\n\n")
        print(report.processor_times(part))
        print(report.heaps(part))
        for line in report.failures(part):
            print("empty:", line)
        print()
    cells = {name: cell for part in parts for name, cell in part.items()}
    print(report.targets(cells))
    if chosen.json:
        chosen.json.write_text(json.dumps(cells, indent=1) + "\n", encoding="utf-8")
        say(f"bench: wrote {chosen.json}")
    if chosen.only or chosen.no_docs:
        return 0
    say("memory, and how cost grows")
    taken, curves = memory.measure(), growths()
    print("\n" + report.memory(taken))
    print("\n" + report.growth(curves["clients"], "clients, 32 B each"))
    print("\n" + report.growth(curves["sizes"], "bytes, 2 in flight"))
    _write_documents(parts, taken, curves, chosen.rounds)
    say("bench: wrote docs/benchmarks.md, its plots and the table in README.md")
    return 0


def _write_documents(parts: tuple, taken: dict, curves: dict, rounds: int) -> None:
    """Write docs/benchmarks.md with its plots, and the table in README.md."""
    names = ("plain", "secure", "inside", "http", "sleeping", "late", "beside")
    plain, about = parts[0], report.machine()
    text = report.page(dict(zip(names, parts, strict=True)), taken, curves, about, rounds)
    (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
    readme = report.quote(README.read_text(encoding="utf-8"), report.quotation(plain, about))
    README.write_text(readme, encoding="utf-8")
    report.plot_relations(plain, DOCS / "benchmarks.svg")
    report.plot_growth(curves["clients"], curves["sizes"], DOCS / "benchmarks-growth.svg")


def bench_check(chosen: SimpleNamespace) -> int:
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))

    def again(wanted):
        parts = run(wanted, chosen.rounds, ("ours", *check.PEERS))
        return {name: cells for part in parts for name, cells in part.items()}

    return 0 if check.check(baseline, again, print) else 1


def firmware(chosen: SimpleNamespace) -> int:
    """Print the firmware's heap. Return 0, or 1 if a figure is missed."""
    if chosen.startup:
        print(heap.startup(chosen.heap))
        return 0
    figures = heap.measure(chosen.heap, chosen.seconds, say, chosen.romfs)
    print(heap.show(figures))
    return 1 if any(one.reached is False for one in figures) else 0


def main(chosen: SimpleNamespace) -> int:
    """Run the benchmark that the options choose. Return 0, or 1 if a figure is missed."""
    select_interpreter(chosen.word)
    if chosen.memory or chosen.startup:
        return firmware(chosen)
    return bench_check(chosen) if chosen.check else bench(chosen)
