"""Turn the answers of a run into the figures that are kept, printed and compared."""

from __future__ import annotations

from .loads import ALL_LOADS, TARGETS, Load, Target, is_time
from .measure import figure, ratios, spread

BY_NAME = {load.name: load for load in ALL_LOADS}


def summarize(results: dict[str, dict[str, list[dict]]]) -> dict[str, dict[str, dict]]:
    """Return {load: {contender: {"figure", "p50", "p99", "cpu", "heap", "ratio", "least",
    "most", "error"}}}.

    `figure`, `p50`, `p99`, `cpu` and `heap` are medians; `ratio` is the median of ours against it,
    round by round, with its least and most. Only those that there are.
    """
    return {
        name: {peer: summarize_one(BY_NAME[name], answers, peer) for peer in answers}
        for name, answers in results.items()
    }


def summarize_one(load: Load, answers: dict[str, list[dict]], peer: str) -> dict:
    """Return one cell of the table."""
    cell: dict = {}
    found = spread([value for one in answers[peer] if (value := figure(load, one)) is not None])
    if found is None:
        cell["error"] = answers[peer][0].get("error", "no figure")
        return cell
    cell["figure"] = found[0]
    for name in ("p50", "p99", "cpu", "heap"):
        middle = spread([one[name] for one in answers[peer] if one.get(name) is not None])
        if middle:
            cell[name] = middle[0]
    if "ours" in answers and peer != "ours":
        against = spread(ratios(load, answers["ours"], answers[peer]))
        if against:
            cell["ratio"], cell["least"], cell["most"] = against
    return cell


def is_reached(target: Target, summary: dict) -> bool | None:
    """Return whether a target is reached; None: it was not measured."""
    ratio = summary.get(target.load, {}).get(target.peer, {}).get("ratio")
    if ratio is None:
        return None
    if is_time(BY_NAME[target.load]):
        return ratio <= target.limit
    return ratio >= target.limit


def checked(summary: dict) -> list[tuple[Target, float, bool]]:
    """Return the targets that were measured: (target, ratio, whether it is reached)."""
    found = []
    for target in TARGETS:
        reached = is_reached(target, summary)
        if reached is not None:
            found.append((target, summary[target.load][target.peer]["ratio"], reached))
    return found
