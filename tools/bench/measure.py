"""Run loads against contenders, in turn, several times."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from .contenders import Contender, Running
from .loads import Load, is_time

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 0.1  # seconds
SECONDS = 0.4


class Generator:
    """The process that makes the load."""

    def __enter__(self) -> Generator:
        command = [sys.executable, "-m", "tools.bench.generator"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, **order) -> dict:
        """Give an order and wait for the answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the load generator died"}


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process has used, or None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    generator: Generator,
    running: Running,
    load: Load,
    warm_up: float = WARM_UP,
    seconds: float = SECONDS,
) -> dict:
    """Run one load on one contender. Return its figures, or {"error": what went wrong}.

    per_second; for messages p50 and p99, in seconds; cpu: processor seconds a message, or None.
    """
    slow = load.kind in ("late", "beside")
    if slow:
        seconds *= 10  # they have only some hundred samples a second
    running.resume()
    before = cpu_seconds(running.pid)
    with contextlib.ExitStack() as stack:
        if slow:
            for pid in (running.pid, generator.process.pid):
                stack.enter_context(first_in_line(pid))
        answer = ask(generator, running, load, warm_up, seconds)
    after = cpu_seconds(running.pid)
    running.pause()
    if "error" not in answer:
        messages = answer["per_second"] * (warm_up + seconds)
        answer["cpu"] = (after - before) / messages if before is not None and after else None
        if load.kind in ("requests", "events"):
            answer.update(heap_of(generator, running))
    return answer


def ask(
    generator: Generator, running: Running, load: Load, warm_up: float, seconds: float
) -> dict:
    """Let the generator run a load."""
    port, path = running.target(load)
    return generator.ask(
        kind=load.kind,
        size=load.size,
        opcode=load.opcode,
        in_flight=load.in_flight,
        clients=load.clients,
        port=port,
        path=path if load.kind == "beside" else load.path or path,
        transfer="" if running.is_quiet else load.path,
        warm_up=warm_up,
        seconds=seconds,
        authority=running.authority,
        pid=running.pid,
    )


@contextlib.contextmanager
def first_in_line(pid: int):
    """Give a process priority over other programs: that it waits for them does not count."""
    try:
        before = os.getpriority(os.PRIO_PROCESS, pid)
        os.setpriority(os.PRIO_PROCESS, pid, -20)
    except (AttributeError, OSError):  # not permitted, or another system
        yield
        return
    yield
    os.setpriority(os.PRIO_PROCESS, pid, before)


def heap_of(generator: Generator, running: Running) -> dict:
    """Return {"heap": bytes in use after a collection}, or nothing if the server cannot tell."""
    running.resume()
    answer = generator.ask(kind="heap", port=running.port)
    running.pause()
    return {} if "error" in answer else answer


def run(
    contenders: Iterable[Contender],
    loads: list[Load],
    rounds: int,
    say: Callable[[str], None],
    seconds: float = SECONDS,
) -> dict[str, dict[str, list[dict]]]:
    """Run all loads on all contenders, interleaved. Return {load: {contender: answers}}."""
    results: dict[str, dict[str, list[dict]]] = {load.name: {} for load in loads}
    running: dict[str, Running] = {}
    with Generator() as generator:
        try:
            for contender in contenders:
                try:
                    running[contender.name] = contender.start()
                    running[contender.name].pause()
                except (AssertionError, LookupError) as error:
                    reason = str(error).splitlines()[0]
                    for load in loads:
                        results[load.name][contender.name] = [{"error": reason}] * rounds
            for number in range(rounds):
                say(f"round {number + 1} of {rounds}")
                for load in loads:
                    for name, server in running.items():
                        answer = measure(generator, server, load, seconds=seconds)
                        results[load.name].setdefault(name, []).append(answer)
        finally:
            for server in running.values():
                server.resume()
                server.stop()
    return results


def figure(load: Load, answer: dict) -> float | None:
    """Return p50 of round trips, p99 beside a transfer, otherwise the number per second.

    It is None after a failure.
    """
    if "error" in answer:
        return None
    if load.kind == "beside":
        return answer["p99"]
    return answer["p50"] if is_time(load) else answer["per_second"]


def ratios(load: Load, ours: list[dict], peer: list[dict]) -> list[float]:
    """Return the ratios of ours to a peer in each round, without failures."""
    pairs = [(figure(load, mine), figure(load, its)) for mine, its in zip(ours, peer, strict=True)]
    return [mine / its for mine, its in pairs if mine and its]


def spread(values: list[float]) -> tuple[float, float, float] | None:
    """Median, least and most; None for no values."""
    if not values:
        return None
    return statistics.median(values), min(values), max(values)
