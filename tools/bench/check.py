"""Has something become slower? Compares ratios with those that are kept in baseline.json."""

from __future__ import annotations

from collections.abc import Callable

from .loads import ALL_LOADS, is_time
from .summary import BY_NAME

PEERS = ("bare TCP", "bare TLS", "run()", "microdot")  # the first that a load has
TOLERANCE = 1.2  # a change by more than a fifth is seen
TRIES = 3  # what looks slower is measured again: this machine is not alone


def slowdown(load_name: str, old: float, new: float) -> float:
    """Return how many times slower than before, from ratios of ours against the same peer."""
    return new / old if is_time(BY_NAME[load_name]) else old / new


def ratio(cells: dict) -> float | None:
    """Return the ratio of ours to the limit, such as bare TCP, or else to microdot."""
    return next((cells[peer].get("ratio") for peer in PEERS if peer in cells), None)


def suspects(baseline: dict, summary: dict) -> list[tuple[str, float]]:
    """Return the loads that are slower than the baseline beyond the tolerance, and how much."""
    found = []
    for name, cells in summary.items():
        old = ratio(baseline.get(name, {}))
        new = ratio(cells)
        if old and not new:
            found.append((name, float("inf")))
        elif old and new and slowdown(name, old, new) > TOLERANCE:
            found.append((name, slowdown(name, old, new)))
    return found


def check(baseline: dict, run: Callable[[list], dict], say: Callable[[str], None]) -> bool:
    """Measure, and measure again what looks slower. True: nothing is."""
    loads = [load for load in ALL_LOADS if load.name in baseline]
    for attempt in range(TRIES):
        found = suspects(baseline, run(loads))
        if not found:
            say("bench-check: no load is slower than the baseline by more than a fifth")
            return True
        for name, times in found:
            say(f"bench-check: {name}: {times:.2f} times slower than the baseline")
        loads = [BY_NAME[name] for name, _ in found]
        if attempt < TRIES - 1:
            say("bench-check: measuring these again")
    return False
