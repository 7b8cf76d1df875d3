"""Tables and plots: what `make bench` prints, and docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from tools.virtualboard import find_micropython

from .contenders import HEAP
from .loads import Load, Target, is_time
from .summary import BY_NAME, checked


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    command = [*find_micropython(), "-c", "import sys; print(sys.version.split('; ')[-1])"]
    version = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "micropython": version,
        "heap": HEAP,
        "date": time.strftime("%Y-%m-%d"),
    }


def amount(load: Load, cell: dict) -> str:
    """Format a figure."""
    if "error" in cell:
        return "-"
    if load.kind == "beside":
        return f"{cell['p50'] * 1e6:.0f} / {cell['p99'] * 1e6:.0f} us"
    if is_time(load):
        return f"{cell['figure'] * 1e6:.0f} / {cell['p99'] * 1e6:.0f} us"
    return f"{cell['figure']:,.0f}"


# How cost grows: (clients or bytes, seconds that one message takes).
Curve = list[tuple[int, float]]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table whose columns line up."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]

    def row(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([row(head), ruler, *map(row, rows)])


def speeds(summary: dict) -> str:
    """Return the table of speeds: messages, deliveries or handshakes per second; p50 / p99."""
    peers = list(next(iter(summary.values())))
    rows = [
        [name, *(amount(BY_NAME[name], cells[peer]) for peer in peers)]
        for name, cells in summary.items()
    ]
    return table(["load", *peers], rows)


def relations(summary: dict, spread: bool = True) -> str:
    """Return a table of ours against the others, with the `spread` over the rounds or without.

    It is "" if there are no others.
    """
    peers = [peer for peer in next(iter(summary.values())) if peer != "ours"]
    if not peers:
        return ""
    rows = []
    for name, cells in summary.items():
        row = [name + (" (time: less is better)" if is_time(BY_NAME[name]) else "")]
        for peer in peers:
            cell = cells[peer]
            text = readable(cell["ratio"]) if "ratio" in cell else "-"
            if spread and "ratio" in cell:
                text += f" ({readable(cell['least'])} to {readable(cell['most'])})"
            row.append(text)
        rows.append(row)
    return table(["ours against", *peers], rows)


def readable(ratio: float) -> str:
    """Return a ratio with two digits behind the point, or with one that is not 0."""
    return f"{ratio:.2f}" if ratio >= 0.01 else f"{ratio:.1g}"


def processor_times(summary: dict) -> str:
    """Processor time a message costs, where the system tells."""
    peers = list(next(iter(summary.values())))
    rows = []
    for name, cells in summary.items():
        times = [cells[peer].get("cpu") for peer in peers]
        rows.append([name, *(f"{time * 1e6:.1f}" if time else "-" for time in times)])
    return table(["us of processor time each", *peers], rows)


def heaps(summary: dict) -> str:
    """Return the table of the heap in use after each load; "" where no server tells."""
    peers = list(next(iter(summary.values())))
    rows = [
        [name, *(f"{cells[peer]['heap']:,.0f}" for peer in peers)]
        for name, cells in summary.items()
        if all("heap" in cells[peer] for peer in peers)
    ]
    return table(["bytes of heap in use after", *peers], rows) if rows else ""


def by_processor(load_name: str, cells: dict, peer: str) -> str:
    """Return the ratio of ours against a peer, if only the server's own processor time counted."""
    mine, its = cells.get("ours", {}).get("cpu"), cells[peer].get("cpu")
    if not mine or not its or peer == "quiet":  # which does not do the same work
        return "-"
    return f"{mine / its if is_time(BY_NAME[load_name]) else its / mine:.2f}"


def targets(summary: dict) -> str:
    """Return the table of targets, and whether they are reached."""
    rows = []
    for target, ratio, reached in checked(summary):
        bound = "at most" if is_time(BY_NAME[target.load]) else "at least"
        verdict = "reached" if reached else "missed"
        limit = f"{bound} {target.limit:g}"
        alone = by_processor(target.load, summary[target.load], target.peer)
        rows.append([target.load, target.peer, limit, f"{ratio:.2f}", verdict, alone])
    return table(["load", "against", "target", "measured", "", "by processor time"], rows)


def reasons(summary: dict) -> str:
    """Return why a target is missed, in figures of the same run; empty where all are reached."""
    return "".join(
        textwrap.fill(
            f"- {target.load}, against {target.peer}: {reason}", 100, subsequent_indent="  "
        )
        + "\n"
        for target, _, reached in checked(summary)
        if not reached and (reason := reason_for(target, summary[target.load]))
    )


def reason_for(target: Target, cells: dict) -> str:
    """Return why a target is missed: how far the limit itself is from it."""
    bare: dict = next((cells[peer] for peer in ("bare TCP", "bare TLS") if peer in cells), {})
    its = cells[target.peer]
    costs = [cell["cpu"] * 1e6 for cell in (cells["ours"], bare, its) if cell.get("cpu")]
    if len(costs) < 3 or is_time(BY_NAME[target.load]):
        return ""
    mine, least, theirs = costs
    text = f"it would take {theirs / target.limit:.2f} us of processor time a message. "
    text += f"Ours takes {mine:.2f}, of which {least:.2f} are what the bare loop takes as well"
    if target.peer not in ("bare TCP", "bare TLS"):
        most = bare["figure"] / its["figure"]
        text += f". With this generator the limit itself reaches {most:.1f}"
    return text + " (docs/design.md, Speed)."


# The loads whose ratios the README quotes.
QUOTED = (
    "32 B text, 32 in flight",
    "1 KiB text, 8 in flight",
    "16 KiB binary, 2 in flight",
    "broadcast to 50",
    "handshakes",
    "round trip, 32 B text",
    "round trip, 4 KiB text",
)
BEGIN, END = "<!-- written by make bench -->\n", "<!-- end of what make bench writes -->"


def quotation(summary: dict, about: dict) -> str:
    """Return the table for the README, with the machine it is from."""
    cells = {name: summary[name] for name in QUOTED if name in summary}
    text = textwrap.fill(README.format(**about), 100, break_on_hyphens=False)
    return f"\n{text}\n\n{relations(cells, spread=False)}\n\n"


def quote(text: str, quotation: str) -> str:
    """Return the README with another table between the marks. Raises ValueError without them."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:begin] + quotation + text[end:]


def failures(summary: dict) -> list[str]:
    """Return why a cell is empty."""
    return [
        f"{peer}, {name}: {cell['error']}"
        for name, cells in summary.items()
        for peer, cell in cells.items()
        if "error" in cell
    ]


def memory(found: dict[int, dict]) -> str:
    """Return the library's memory in bytes, by word size."""
    words = sorted(found)
    columns = [library(found[word]) for word in words]
    rows = [[what, *(column[what] for column in columns)] for what in columns[0]]
    sizes = {arch: size for word in words for arch, size in found[word]["flash"].items()}
    rows += [
        [f"on flash, .mpy for {arch}", f"{size:,}", *[""] * (len(words) - 1)]
        for arch, size in sizes.items()
    ]
    return table(["bytes", *(f"{word} bits" for word in words)], rows)


def library(found: dict) -> dict[str, str]:
    """Return the rows of one word size."""
    compiled, idle = found["compiled"], found["idle"]
    figures = {
        f"{what}, {form}": found[kind][key]
        for what, key in (
            ("import wsserver", "import"),
            ("Server(), which loads the rest", "server"),
            ("listen()", "listen"),
        )
        for form, kind in ((".mpy", "compiled"), ("source", "source"))
    }
    figures |= {
        "of Server(): read buffer": compiled["read buffer"],
        "of Server(): the first send buffer": compiled["send buffer"],
        "an idle client, without its socket": idle["client"] - idle["socket"],
        "its socket, which is C on a chip": idle["socket"],
        "a client with a full send buffer, more": compiled["send buffer"],
        "garbage for a 32 B text and its echo": round(found["allocated per 32 B message"]),
    }
    return {what: f"{size:,}" for what, size in figures.items()}


def growth(points: Curve, what: str) -> str:
    """Return a table of the time for one message."""
    rows = [[f"{size:,}", f"{1 / cost:,.0f}", f"{cost * 1e6:.1f}"] for size, cost in points]
    return table([what, "messages per second", "us each"], rows)


def plot_relations(summary: dict, file: Path) -> None:
    """Plot bars: ours and the others relative to bare TCP (times inverted: more is better)."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    names = [name for name in summary if "figure" in summary[name].get("bare TCP", {})]
    peers = [peer for peer in next(iter(summary.values())) if peer != "bare TCP"]
    figure, axes = pyplot.subplots(figsize=(9, 6))
    height = 0.8 / len(peers)
    for at, peer in enumerate(peers):
        values = []
        for name in names:
            cell, bare = summary[name][peer], summary[name]["bare TCP"]["figure"]
            value = cell.get("figure", 0) / bare
            values.append(1 / value if value and is_time(BY_NAME[name]) else value)
        places = [row + at * height for row in range(len(names))]
        axes.barh(places, values, height, label=peer)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("speed, bare TCP echo on MicroPython = 1")
    axes.legend()
    save(figure, file)


def plot_growth(clients: Curve, sizes: Curve, file: Path) -> None:
    """Two curves: time for one message against clients, and against bytes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5))
    for axes, points, label in ((left, clients, "clients"), (right, sizes, "bytes a message")):
        axes.plot([at for at, _ in points], [cost * 1e6 for _, cost in points], marker="o")
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
    left.set_ylabel("us for one message")
    save(figure, file)


def save(figure, file: Path) -> None:
    """Write an SVG that is the same for the same figures."""
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "bench"
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})


README = (
    "Measured on {date}: {processor}, {system}, MicroPython's Unix port ({micropython}), on a "
    "machine shared with others."
)

PAGE = """# Benchmarks

Written by `make bench` on {date}. Compare the ratios, not the figures: a laptop is not a chip,
and other programs run on this machine. All servers were measured in one run, in turn, in
{rounds} rounds of 0.4 s each. A cell is the median, with the minimum and maximum in parentheses.

Machine: {processor}; {system}; Python {python};
{micropython}.

Every MicroPython program had {heap} of heap on a virtual board with more than a chip's ten
sockets. The load generator is a process of its own on another core. It polls without sleeping,
sends frames that were built beforehand, and compares every byte of the replies.

- **ours**: this server with an endpoint that echoes in `on_message`.
- **bare TCP**: the limit: a `poll` loop on the same MicroPython that writes back the bytes it
  reads, 4 KiB at a time. Its broadcast is a loop of `socket.write` calls.
- **microdot**, **chumicro** (chumicro-websockets): on the same MicroPython, used as in their
  documentation. chumicro leaves Nagle's algorithm on, which costs 44 ms per message of more than
  one packet.
- **websockets**: the CPython library, without compression.

## Speed

Messages, deliveries or handshakes per second; round trips: median / 99th percentile.

{speeds}

{failures}
## Ours against the others

For round trips, which are times, less than 1 is better; for everything else more than 1.

{relations}

![Speed relative to bare TCP](benchmarks.svg)

## Over TLS

TLS 1.2, ECDHE-ECDSA with AES-256-GCM. The limit is the same loop on TLS streams. On a laptop
MicroPython polls TLS streams once a millisecond, which delays both.

{tls_speeds}

{tls_relations}

## Inside asyncio

**ours** is `await server.serve()` beside a task that wakes up 100 times a second. **run()** is the
same echo under `server.run()`. **async def** is an echo whose `on_message` is a coroutine, as the
echo of **microdot** is.

{inside_speeds}

{inside_relations}

A task that wakes up 100 times a second, while five clients have 100 messages each under way: by
how much it was late, median / 99th percentile. The aim is less than 2 ms at the 99th percentile.

{late_speeds}

## Beside a transfer

Four clients send a message each 5 ms after their last echo, while a transfer without end goes
through one more connection: median / 99th percentile. **quiet** is the same server without a
transfer, measured in turn. An echo during which the server or the load generator waited for a
processor does not count. The ratio is that of the 99th percentiles. The aim is at most 2.

{beside_speeds}

{beside_relations}

## HTTP

Requests per second of two clients, on connections that stay open if the server allows it (microdot
closes each); events are deliveries per second, with one request for each event. The heap includes
the program, the WebSocket endpoints, and buffers for messages of 16 KiB.

{http_speeds}

{http_relations}

{http_processor_times}

{http_heaps}

## A client that sleeps

The client sleeps in `recv`, on the same core as the server, so that neither hides work of the
other. The server and the bare echo run without a virtual board: they use the interpreter's own
sockets, which are C code as on a chip, and a heap of 128k.

{sleeping_speeds}

{sleeping_relations}

## Processor time

Processor time of the server's process, including system calls, for one message, delivery or
handshake. It does not depend on the speed of the load generator.

{processor_times}

{tls_processor_times}

## Targets

"By processor time" is the ratio of the processor times of the servers.

{targets}

{reasons}
## Memory

This command prints the firmware's use of the heap on the board with a chip's two heaps, and exits
with 1 if a requirement is missed:

    make bench-memory WORD=32

This one prints the memory of each import of the start, and the growth of the table of names:

    make bench-startup WORD=32

The library alone: `gc.mem_alloc()` after a collection, without a chip's own modules. A chip has 32
bits; the virtual board with 32 bits takes slightly more. A connection has a buffer only while it
contains data.

{memory}

## Growth

Ten times as many clients, or bytes, take at most ten times as long.

{clients}

{sizes}

![Time for one message](benchmarks-growth.svg)
"""


def page(
    parts: dict[str, dict], found: dict[int, dict], growths: dict, about: dict, rounds: int
) -> str:
    """Return the text of docs/benchmarks.md.

    parts: summaries of the loads: "plain", "secure" (over TLS), "inside" (inside asyncio), "http",
    "sleeping" (with a client that sleeps), "late" (a task beside the server) and "beside" (clients
    beside a transfer).
    """
    summary, secure, inside, sleeping = (
        parts[name] for name in ("plain", "secure", "inside", "sleeping")
    )
    everything = {name: cells for part in parts.values() for name, cells in part.items()}
    empty = "".join(f"- {line}\n" for line in failures(everything))
    return PAGE.format(
        speeds=speeds(summary),
        failures=f"Empty cells:\n\n{empty}" if empty else "",
        relations=relations(summary),
        processor_times=processor_times(summary),
        targets=targets(everything),
        reasons=reasons(everything),
        tls_speeds=speeds(secure),
        tls_relations=relations(secure),
        tls_processor_times=processor_times(secure),
        inside_speeds=speeds(inside),
        inside_relations=relations(inside),
        late_speeds=speeds(parts["late"]),
        beside_speeds=speeds(parts["beside"]),
        beside_relations=relations(parts["beside"]),
        http_speeds=speeds(parts["http"]),
        http_relations=relations(parts["http"]),
        http_processor_times=processor_times(parts["http"]),
        http_heaps=heaps(parts["http"]),
        sleeping_speeds=speeds(sleeping),
        sleeping_relations=relations(sleeping),
        memory=memory(found),
        clients=growth(growths["clients"], "clients, 32 B each"),
        sizes=growth(growths["sizes"], "bytes, 2 in flight"),
        rounds=rounds,
        **about,
    )
