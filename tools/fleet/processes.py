"""Run the gateway from the command line, in one process or in several that share the port."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tools.failure import Failure

from . import access, broker, gateway


def run(
    engine: str,
    user: str,
    engine_ca: str | None,
    tokens: Path | None,
    origin: tuple[str, ...],
    proxy: tuple[str, ...],
    processes: int,
    **options,
) -> int:
    """Run gateways until SIGINT or SIGTERM. Raises Failure if an option is not valid."""
    if bool(options["cert"]) != bool(options["key"]):
        raise Failure("--cert and --key belong together")
    if processes > 1:
        return _run_several(processes)
    try:
        hosts = broker.parse_hosts(engine, 1883 if engine_ca is None else 8883)
    except ValueError:
        raise Failure(f"--engine {engine} is not HOST:PORT") from None
    password = os.environ.get("FLEET_PASSWORD", "")
    try:
        gateway.run(
            gateway.Options(
                engine=broker.Address(hosts, user, password, engine_ca),
                tokens=access.Tokens.read(tokens),
                origins=origin,
                proxies=proxy,
                share_port=bool(os.environ.get("FLEET_SHARE_PORT")),
                **options,
            )
        )
    except OSError as error:
        raise Failure(f"port {options['port']}: {error.strerror or error}") from None
    return 0


def _run_several(count):
    """Start this command `count` times with one process each; end all when one ends."""
    arguments = _without(sys.argv[1:], "--processes")
    command = [sys.executable, "-m", "tools", *arguments]
    environment = {**os.environ, "FLEET_SHARE_PORT": "1"}
    children = [subprocess.Popen(command, env=environment) for _ in range(count)]

    def end(*_):
        for child in children:
            child.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    status = 0
    with contextlib.suppress(ChildProcessError):
        _, status = os.wait()
    end()
    for child in children:
        child.wait()
    return 1 if status else 0


def _without(arguments: list[str], name: str) -> list[str]:
    """Return arguments without an option and its value."""
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == name:
            skip = True
        elif not argument.startswith(name + "="):
            kept.append(argument)
    return kept
