"""`make bench-fleet`: the scenarios of docs/fleet.md, on one machine, scaled by options."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path

import paho.mqtt.client as paho

from tools import ROOT
from tools.docs import sections
from tools.failure import Failure
from tools.virtualboard import VirtualBoard
from tools.wsclient import TEXT, RawClient, frame

from .demo import end, start_gateway
from .engines import INSTALL, Cluster, Engine, free_ports, installed
from .proxy import Proxy

PROGRAM = Path(__file__).with_name("benchboard.py")
DOCUMENT = ROOT / "docs" / "fleet.md"
_KILL_EVERY = 30.0  # s
_AT_ONCE = 8  # boards that start at the same time
_TURN = 40  # round trips with one board before the next one's turn


@dataclass
class Row:
    """A line of the table in docs/fleet.md."""

    scenario: str
    scale: str
    result: str
    required: str
    reached: bool


def run(
    boards: int,
    viewers: int,
    crowd: int,
    seconds: float,
    outages: int,
    only: str,
    document: bool,
) -> int:
    """Run the scenarios. Return 0, or 1 if a requirement was missed."""
    if not installed():
        raise Failure(INSTALL)
    scenarios: dict[str, Callable[[], list[Row]]] = {
        "spread": lambda: spread(boards, viewers, seconds),
        "crowd": lambda: crowded(crowd, seconds),
        "cluster": lambda: cluster(seconds),
        "outages": lambda: outage(outages),
        "full": full,
        "local": lambda: local(seconds),
    }
    rows: list[Row] = []
    for name, scenario in scenarios.items():
        if only in name:
            print(f"{name} ...", flush=True)
            found = scenario()
            rows += found
            for row in found:
                print(f"  {row.scenario}; {row.scale}: {row.result}", flush=True)
    print(_table(rows), end="")
    if document:
        _write(rows)
    return 0 if all(row.reached for row in rows) else 1


# --- what all scenarios use


def board(name: str, port: int | str, interval: int = 1000, **fleet) -> VirtualBoard:
    """Return a board that broadcasts its counter and the time at /ws every `interval` ms."""
    section = {"enabled": True, "host": "127.0.0.1", "discovery": "", "backoff": 5, **fleet}
    if isinstance(port, int):
        section["port"] = port
    else:
        section["host"] = port
    settings = {"name": name, "interval": interval, "fleet": section}
    files: dict[str, str | bytes] = {
        "main.py": PROGRAM.read_text(),
        "bench.json": json.dumps(settings),
    }
    return VirtualBoard(files=files)


def _start_boards(stack, count, port, **fleet):
    found = []
    for first in range(0, count, _AT_ONCE):
        group = [board(f"board-{index}", port, **fleet) for index in
                 range(first, min(first + _AT_ONCE, count))]  # fmt: skip
        for one in group:
            stack.enter_context(one)
        for one in group:
            one.wait_for_log("fleet: connected", 60)
        found += group
    return found


@contextlib.contextmanager
def gateways(count: int, engine: str) -> Iterator[list[int]]:
    """Start gateways and yield their ports. engine: HOST:PORT, or several."""
    ports = free_ports(count)
    options = ("--per-address", "100000", "--max-viewers", "100000", "--engine", engine)
    with ExitStack() as stack:
        for port in ports:
            stack.callback(end, start_gateway(0, port, *options))
        time.sleep(1.5)
        yield ports


class Viewers:
    """Processes of tools.fleet.load."""

    def __init__(self, targets: list[str], count: int, seconds: float, processes: int = 2):
        self._processes = []
        for index in range(processes):
            share = count // processes + (index < count % processes)
            mine = targets[index::processes] or targets
            command = [sys.executable, "-m", "tools.fleet.load", str(share), str(seconds), *mine]
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
                )
            )

    def wait_connected(self) -> None:
        """Wait until all viewers are connected."""
        for process in self._processes:
            assert process.stdout and process.stdout.readline() == "connected\n"

    def begin(self) -> None:
        """Begin to measure."""
        for process in self._processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()

    def results(self) -> dict:
        """Return the sum of the results."""
        total: dict = {}
        for process in self._processes:
            assert process.stdout
            result = json.loads(process.stdout.readline())
            process.wait()
            for key, value in result.items():
                if key == "silence":
                    total[key] = max(total.get(key, 0), value)
                else:
                    total[key] = total[key] + value if key in total else value
        total["latencies"].sort()
        return total


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("inf")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _latency(result):
    values = result["latencies"]
    return f"p50 {percentile(values, 0.5):.0f} ms, p99 {percentile(values, 0.99):.0f} ms"


# --- the scenarios


def spread(boards: int, viewers: int, seconds: float) -> list[Row]:
    """Many boards, viewers spread over them, one broadcast per board and second."""
    rows = []
    for name in installed():
        with ExitStack() as stack:
            engine = stack.enter_context(Engine(name))
            _start_boards(stack, boards, engine.port)
            ports = stack.enter_context(gateways(1, f"127.0.0.1:{engine.port}"))
            targets = [f"{ports[0]}:/boards/board-{index}/ws" for index in range(boards)]
            load = Viewers(targets, viewers, seconds, 1)
            load.wait_connected()
            time.sleep(2)
            load.begin()
            result = load.results()
        faults = result["missed"] + result["disordered"]
        p99 = percentile(result["latencies"], 0.99)
        rows.append(
            Row(
                f"one broadcast per board and second ({name})",
                f"{boards} boards, {viewers} viewers, {seconds:.0f} s",
                f"{result['messages']:,} messages, {result['missed']} missed, "
                f"{result['disordered']} out of order; {_latency(result)}",
                "all, in order; p99 under 100 ms",
                not faults and result["messages"] > 0 and p99 < 100,
            )
        )
    return rows


def crowded(viewers: int, seconds: float) -> list[Row]:
    """Many viewers of one board through two gateways; the board must not notice."""
    name = installed()[0]
    load_of = {}
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(name))
        (member,) = _start_boards(stack, 1, engine.port)
        ports = stack.enter_context(gateways(2, f"127.0.0.1:{engine.port}"))
        targets = [f"{port}:/boards/board-0/ws" for port in ports]
        for count in (1, viewers):
            load = Viewers(targets, count, seconds, 1 if count == 1 else 2)
            load.wait_connected()
            time.sleep(2)
            start, cpu = time.monotonic(), cpu_seconds(member.pid)
            load.begin()
            result = load.results()
            used = (cpu_seconds(member.pid) - cpu) / (time.monotonic() - start)
            heaps = re.findall(r"heap (\d+)", member.log)
            load_of[count] = (result, used, int(heaps[-1]))
    result, used, heap = load_of[viewers]
    _, used_1, heap_1 = load_of[1]
    p99 = percentile(result["latencies"], 0.99)
    served = result["connected"] == viewers and not result["missed"] and not result["disordered"]
    return [
        Row(
            f"viewers of one board, two gateways ({name})",
            f"{viewers:,} viewers, {seconds:.0f} s",
            f"{result['messages']:,} messages, {result['missed']} missed; {_latency(result)}; "
            f"board: {heap:,} bytes and {100 * used:.1f} % CPU; with one viewer {heap_1:,} and "
            f"{100 * used_1:.1f} %",
            "all served; p99 under 250 ms; heap and CPU as with one viewer",
            served and p99 < 250 and heap - heap_1 < 1000,
        )
    ]


# Long: one experiment from its start to its row, with all that is open meanwhile.
def cluster(seconds: float) -> list[Row]:
    """Three NATS nodes, one killed at a time; a durable consumer must miss nothing."""
    if "nats-server" not in installed():
        return []
    kills = 0
    with ExitStack() as stack:
        nodes = stack.enter_context(Cluster()).nodes
        time.sleep(3)  # for the first leaders
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        consumer = Consumer([node.port for node in nodes], "boards/v1/board-0/all/ws/text")
        stack.callback(consumer.stop)
        options = {"queue": 60000, "keepalive": 15, "backoff": 1}
        (member,) = _start_boards(stack, 1, hosts, interval=200, **options)
        ports = stack.enter_context(gateways(2, hosts))
        load = Viewers([f"{port}:/boards/board-0/ws" for port in ports], 20, seconds, 1)
        load.wait_connected()
        load.begin()
        finish = time.monotonic() + seconds
        period = min(_KILL_EVERY, seconds / 3)
        while time.monotonic() + period < finish:
            time.sleep(period / 2)
            victim = nodes[kills % 3]
            victim.kill()
            kills += 1
            time.sleep(period / 2)
            victim.start()
        result = load.results()
        time.sleep(8)
        last = int(re.findall(r"count (\d+)", member.log)[-1])
        dropped = max(int(text) for text in re.findall(r"dropped (\d+)", member.log))
        consumer.wait(last, 20)
        missing = [number for number in range(consumer.first, last) if number not in consumer.seen]
    gap = result["silence"]
    return [
        Row(
            "three NATS nodes, one killed with -9 at a time",
            f"{kills} kills in {seconds:.0f} s, 5 messages a second, 20 viewers, two gateways",
            f"{len(consumer.seen):,} messages at the durable consumer, {len(missing)} missing, "
            f"{dropped} dropped by the board; a viewer waited at most {gap:.1f} s",
            "none missing; viewers back within 10 s",
            not missing and not dropped and gap < 10,
        )
    ]


class Consumer:
    """A durable MQTT session with QoS 1 that moves on to the next node when its own is gone."""

    def __init__(self, ports: list[int], topic: str):
        self.seen: set[int] = set()
        self.first = 0
        self._ports = ports
        self._topic = topic
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        if not self._ready.wait(20):
            raise Failure("the durable consumer cannot subscribe")

    def _run(self):
        attempt = 0
        while not self._is_stopped.is_set():
            client = paho.Client(
                paho.CallbackAPIVersion.VERSION2, client_id="durable", clean_session=False
            )
            client.on_connect = lambda client, *_: client.subscribe(self._topic, 1)
            client.on_subscribe = lambda *_: self._ready.set()
            client.on_message = self._receive
            lost = threading.Event()
            client.on_disconnect = lambda *_, lost=lost: lost.set()
            try:
                client.connect("127.0.0.1", self._ports[attempt % len(self._ports)], keepalive=5)
                client.loop_start()
                while not lost.wait(0.2) and not self._is_stopped.is_set():
                    pass
                client.loop_stop()
            except OSError:
                pass
            attempt += 1
            time.sleep(0.5)

    def _receive(self, client, data, message):
        if message.retain:  # an earlier one
            return
        number = int(message.payload.split()[0])
        if not self.seen:
            self.first = number
        self.seen.add(number)

    def wait(self, number: int, seconds: float) -> None:
        """Wait until a number has arrived, at most so long."""
        deadline = time.monotonic() + seconds
        while number not in self.seen and time.monotonic() < deadline:
            time.sleep(0.1)

    def stop(self) -> None:
        """End the session's connection."""
        self._is_stopped.set()
        self._thread.join(10)


# Long: one experiment from its start to its row, with all that is open meanwhile.
def outage(count: int) -> list[Row]:
    """Every kind of outage, many short ones, and what they cost a local client."""
    name = installed()[0]
    kinds = ("refuse", "cut", "silent", "slow", "reset")
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(name))
        proxy = stack.enter_context(Proxy(engine.port))
        options = {"backoff": 0.2, "keepalive": 5, "queue": 2048}
        (member,) = _start_boards(stack, 1, proxy.port, **options)
        client = stack.enter_context(contextlib.closing(LocalClient(member)))
        usual = client.median(500)
        worst = {}
        for kind in kinds:
            proxy.mode = kind
            proxy.interrupt()
            worst[kind] = client.median(500)
            proxy.mode = "pass"
            proxy.interrupt()
        member.wait_for_log("fleet: connected", 30, member.log_position - 1)
        heaps: list[int] = []
        slowest = 0.0
        for _ in range(count):
            position = member.log_position
            proxy.mode = random.choice(("pass", "refuse", "silent", "cut"))
            if proxy.mode != "cut":
                proxy.reset()
            time.sleep(random.uniform(0, 0.3))
            proxy.mode = "pass"
            proxy.reset()  # also what was accepted meanwhile
            start = time.monotonic()
            member.wait_for_log("fleet: connected", 30, position)
            slowest = max(slowest, time.monotonic() - start)
            if random.random() < 0.2 or not heaps:
                heaps.append(client.memory())
    part = max(1, len(heaps) // 5)
    growth = int(statistics.median(heaps[-part:]) - statistics.median(heaps[part : 2 * part]))
    slow = max(worst.values())
    medians = ", ".join(f"{kind} {1000 * value:.2f}" for kind, value in worst.items())
    return [
        Row(
            f"outages between board and engine ({name})",
            f"{count} short ones; refusing, cut off, silent, slow, reset",
            f"median round trip of a local client {1000 * usual:.2f} ms, meanwhile {medians} ms; "
            f"connected again within {slowest:.1f} s; heap grew by {growth} bytes",
            "local service unaffected; reconnected within the backoff limit; heap flat",
            slow < 2 * usual + 0.001 and slowest < 1.5 and growth < 1000,
        )
    ]


# Long: one experiment from its start to its row, with all that is open meanwhile.
def full() -> list[Row]:
    """Engines that are full: of connections, and JetStream's storage."""
    rows = []
    cases = [(name, 1, "1G") for name in installed()]
    if "nats-server" in installed():
        cases.append(("nats-server", 0, "64K"))
    for name, clients, storage in cases:
        with ExitStack() as stack:
            engine = stack.enter_context(Engine(name, clients=clients, storage=storage))
            others = []
            # mosquitto 2.0.11 accepts one more than its limit.
            for _ in range(clients + (name == "mosquitto")):
                other = paho.Client(paho.CallbackAPIVersion.VERSION2)
                other.connect("127.0.0.1", engine.port)
                other.loop_start()
                others.append(other)
                while not other.is_connected():
                    time.sleep(0.05)
            if not clients:  # it keeps messages for sessions that are interested in them
                Consumer([engine.port], "boards/#").stop()
            one = board("board-0", engine.port, interval=20, backoff=0.5, queue=2048, retain=False)
            member = stack.enter_context(one)
            member.wait_for_log("trying again", 60)
            client = stack.enter_context(contextlib.closing(LocalClient(member)))
            median, heap = client.median(500), client.least_memory()
            time.sleep(20)
            growth = client.least_memory() - heap
            back, within = "the storage stays full", 0.0
            if clients:
                position, start = member.log_position, time.monotonic()
                for other in others:
                    other.disconnect()
                    other.loop_stop()
                member.wait_for_log("fleet: connected", 30, position)
                within = time.monotonic() - start
                back = f"connected within {within:.1f} s after a place was free"
            attempts = member.log.count("fleet: connected")
        text = "max_connections 1" if clients else f"storage {storage}"
        rows.append(
            Row(
                f"a full engine ({name}, {text})",
                "20 s, 50 messages a second",
                f"median round trip of a local client {1000 * median:.2f} ms; heap grew by "
                f"{growth} bytes; {attempts} connections; {back}",
                "local service unaffected; heap flat; no retry storm",
                median < 0.002 and growth < 1000 and within < 2 and attempts < 60,
            )
        )
    return rows


class LocalClient:
    """A WebSocket client of a board itself."""

    def __init__(self, member: VirtualBoard):
        self._raw = RawClient(member.http_port, member.address, timeout=10)
        self._raw.open("/control")

    def order(self, text: bytes) -> bytes:
        """Send an order and return the reply."""
        return self._raw.send(frame(TEXT, text)).message()

    def median(self, count: int, pause: float = 0.002) -> float:
        """Return the median round trip in s, with a pause between two."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            self.order(b"echo")
            times.append(time.perf_counter() - start)
            time.sleep(pause)
        return statistics.median(times)

    def memory(self) -> int:
        """Return the bytes of the heap in use after a collection."""
        return int(self.order(b"memory"))

    def least_memory(self) -> int:
        """Return the least of some readings: an attempt to connect takes 6 KB meanwhile."""
        found = []
        for _ in range(20):
            found.append(self.memory())
            time.sleep(0.1)
        return min(found)

    def close(self) -> None:
        self._raw.close()


def local(seconds: float) -> list[Row]:
    """The round trip of a local client: without a fleet, connected, and without answers.

    The boards take turns many times, each for some ms, and the least disturbed tenth of the turns
    counts, so that other programs disturb all boards alike. Two boards without a fleet show how
    far apart equal ones are measured.
    """
    rounds = max(50, int(seconds * 10))
    medians: dict[str, list[float]] = {}
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(installed()[0]))
        proxy = stack.enter_context(Proxy(engine.port))
        proxy.mode = "silent"
        clients = {}
        for name, port in {
            "without": 1,
            "another without": 1,
            "connected": engine.port,
            "no answer": proxy.port,
            "no broker": free_ports(1)[0],
        }.items():
            is_enabled = not name.endswith("without")
            one = board("board-0", port, interval=100000, enabled=is_enabled)
            member = stack.enter_context(one)
            member.wait_ready()
            clients[name] = stack.enter_context(contextlib.closing(LocalClient(member)))
        time.sleep(2)
        for client in clients.values():
            client.median(_TURN, 0)
        for _ in range(rounds):
            for name in random.sample(list(clients), len(clients)):
                medians.setdefault(name, []).append(clients[name].median(_TURN, 0))
    best = {name: 1000 * percentile(sorted(values), 0.1) for name, values in medians.items()}
    usual, control = best.pop("without"), best.pop("another without")
    most = 2 * max(best.values()) / (usual + control) - 1
    text = ", ".join(f"{name} {value:.4f} ms" for name, value in best.items())
    return [
        Row(
            "median round trip of a local client",
            f"{rounds} turns of {_TURN} round trips each; the least disturbed tenth",
            f"without a fleet {usual:.4f} and {control:.4f} ms, {text}: "
            f"{100 * most:+.1f} % at most",
            "within 5 %",
            most < 0.05,
        )
    ]


# --- the document


def _table(rows: list[Row]) -> str:
    heads = ("scenario", "scale", "measured", "required", "reached")
    verdict = {True: "yes", False: "**no**"}
    return sections.table(heads, ((*astuple(row)[:4], verdict[row.reached]) for row in rows))


def _write(rows: list[Row]) -> None:
    """Replace the figures in docs/fleet.md."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    note = f"Measured on {date.today():%Y-%m-%d} ({machine}), all on one machine:"
    sections.put(DOCUMENT, "make bench-fleet", f"{note}\n\n{_table(rows)}")
