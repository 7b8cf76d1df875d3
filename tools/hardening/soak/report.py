"""Report a soak test: figures, plot, and the section in docs/reliability.md."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from pathlib import Path

from tools import ROOT
from tools.docs import sections

PLOT = ROOT / "docs" / "soak.svg"


def at(values: list[float], part: float) -> float:
    """Return the value below which `part` of the sorted values are."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def tracebacks(log: str) -> list[str]:
    """Return each traceback in a board's log once, with its number."""
    found = re.findall(r"Traceback \(most recent.*\n(?:  .*\n)+.*", log.replace("\r", ""))
    return [
        f"{count} of these: `{' / '.join(line.strip() for line in text.splitlines())}`"
        for text, count in Counter(found).items()
    ]


def summary(soak: dict) -> dict:
    """Return the important figures."""
    samples = soak["samples"]
    # The first minutes fill buffers and tables that stay.
    settled = [sample["heap"] for sample in samples[len(samples) // 10 :]]
    tenth = max(1, len(settled) // 10)
    return {
        "hours": soak["seconds"] / 3600,
        "messages": soak["messages"],
        "heap early": sorted(settled[:tenth])[tenth // 2],
        "heap late": sorted(settled[-tenth:])[tenth // 2],
        "heap most": max(settled),
        "p50": at(sorted(sample["p50"] for sample in samples), 0.5),
        "p99": at(sorted(sample["p99"] for sample in samples), 0.5),
        "p99 worst": max(sample["p99"] for sample in samples),
        "troubles": sum(soak["troubles"].values()),
    }


def text(soak: dict) -> str:
    """Return the section of docs/reliability.md."""
    found = summary(soak)
    kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(soak["troubles"].items()))
    kinds = textwrap.fill(f"Actions of the hostile clients: {kinds}.", 100)
    about, last = soak["machine"], soak["last"]
    problems = "".join(f"- {problem}\n" for problem in soak["problems"]) or "- none\n"
    measured = textwrap.fill(
        f"{found['hours']:.2f} hours on {sections.when(about)}, on a virtual board with "
        f"{about['heap']} of heap ({about['processor']}, {about['system']}, "
        f"{about['micropython']}; other programs ran at the same time, which affects the "
        "latency).",
        100,
        break_on_hyphens=False,
    )
    return f"""\
{measured}

| | |
| --- | --- |
| echoed messages, each compared byte by byte | {found["messages"]:,} |
| connections of hostile clients | {found["troubles"]:,} |
| heap in use after a collection, bytes: first tenth | {found["heap early"]:,} |
| last tenth | {found["heap late"]:,} |
| maximum | {found["heap most"]:,} |
| round trip of 32 bytes, ms: p50 | {found["p50"] * 1000:.2f} |
| p99 (median of the samples) | {found["p99"] * 1000:.2f} |
| p99 of the worst sample | {found["p99 worst"] * 1000:.2f} |
| left after the hostile clients: clients beside the five permanent ones | \
{last["clients"] - 5} |
| HTTP connections | {last["visitors"]} |
| tracebacks in the log | {soak["tracebacks"]} |

{kinds}

Problems:

{problems}
![Heap, latency, clients and messages over time](soak.svg)
"""


def plot(soak: dict, file: Path) -> None:
    """Plot heap, latency, clients and messages over time."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    samples = soak["samples"]
    times = [sample["at"] / 60 for sample in samples]
    figure, (heap, latency, clients) = pyplot.subplots(3, 1, figsize=(9, 8), sharex=True)
    heap.plot(times, [sample["heap"] / 1024 for sample in samples], label="in use")
    total = [(sample["heap"] + sample["free"]) / 1024 for sample in samples]
    heap.plot(times, total, color="grey", linewidth=0.8, label="in all")
    heap.set_ylabel("heap, KB (with the stand-ins)")
    heap.set_ylim(bottom=0)
    latency.plot(times, [sample["p99"] * 1000 for sample in samples], label="p99")
    latency.plot(times, [sample["p50"] * 1000 for sample in samples], label="p50")
    latency.set_yscale("log")
    latency.set_ylabel("round trip, ms")
    clients.step(times, [sample["clients"] for sample in samples], label="clients")
    clients.set_ylabel("clients")
    clients.set_ylim(bottom=0)
    clients.set_xlabel("minutes")
    messages = clients.twinx()
    counts = [sample["messages"] / 1e6 for sample in samples]
    messages.plot(times, counts, color="tab:green", label="messages")
    messages.set_ylabel("messages, millions")
    for axes, place in ((heap, "lower right"), (latency, "upper right"), (clients, "lower left")):
        axes.legend(loc=place)
    messages.legend(loc="lower right")
    matplotlib.rcParams["svg.hashsalt"] = "soak"
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})


def write(soak: dict) -> None:
    """Write the plot and the section of docs/reliability.md."""
    plot(soak, PLOT)
    sections.put(ROOT / "docs" / "reliability.md", "make soak", text(soak))
