"""`make fleet`: an engine, a gateway and virtual boards on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import ExitStack

from tools.failure import Failure
from tools.virtualboard import VirtualBoard
from tools.virtualboard.board import check_port

from .engines import INSTALL, Engine, installed

_AT_ONCE = 4  # boards that start at the same time


def board_config(name: str, port: int, **fleet) -> dict:
    """Return the config.json of a board that is connected to the engine at a port."""
    return {
        "wifi": {"hostname": name, "captive_portal": False},
        "tls": {"enabled": False},
        "fleet": {"enabled": True, "host": "127.0.0.1", "port": port, "interval": 10, **fleet},
    }


def run(boards: int, engine: str | None, port: int) -> int:
    """Run a fleet until Ctrl-C. Raises Failure without an engine, or if the port is in use."""
    found = [name for name in installed() if engine in (None, name)]
    if not found:
        raise Failure(INSTALL)
    try:
        check_port(port, "GATEWAY_PORT= (--port)")
    except OSError as error:
        raise Failure(str(error.strerror)) from None
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        broker = stack.enter_context(Engine(found[0]))
        print(f"engine:  {found[0]}, MQTT at 127.0.0.1:{broker.port}")
        gateway = start_gateway(broker.port, port)
        stack.callback(end, gateway)
        print(f"gateway: http://127.0.0.1:{port}/", flush=True)
        for first in range(0, boards, _AT_ONCE):
            group = range(first, min(first + _AT_ONCE, boards))
            started = [
                stack.enter_context(
                    VirtualBoard(config=board_config(f"board-{index + 1}", broker.port))
                )
                for index in group
            ]
            for index, board in zip(group, started, strict=True):
                while not ended.is_set() and gateway.poll() is None:
                    try:
                        board.wait_for_log("fleet: connected", 0.5)
                        url = f"http://127.0.0.1:{port}/boards/board-{index + 1}/"
                        print(f"board-{index + 1}: {url} (itself: {board.http_url})", flush=True)
                        break
                    except AssertionError:
                        continue
        print(f"{boards} boards run; Ctrl-C ends all", flush=True)
        while not ended.wait(0.5):
            if gateway.poll() is not None:
                raise Failure("the gateway has ended")
    return 0


def start_gateway(engine_port: int, port: int, *options: str) -> subprocess.Popen:
    """Start a gateway process; wait until it listens. Raises Failure if it does not."""
    command = [sys.executable, "-m", "tools", "fleet-gateway"]
    command += ["--engine", f"127.0.0.1:{engine_port}", "--port", str(port), *options]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", start_new_session=True
    )
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("gateway "):
            threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
            return process
    raise Failure("the gateway does not start: " + "".join(lines)[-500:])


def _drain(stream):
    for line in stream:
        print(line, end="", file=sys.stderr)


def end(process: subprocess.Popen) -> None:
    """End a process that was started here."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
