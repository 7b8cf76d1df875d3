"""Run the gateway from the command line, in one process or in several that share the port."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
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
    name: tuple[str, ...],
    origin: tuple[str, ...],
    proxy: tuple[str, ...],
    processes: int,
    **options,
) -> int:
    """Run gateways until SIGINT or SIGTERM. Raises Failure if an option is not valid."""
    _check(engine_ca, name, **options)
    try:
        hosts = broker.parse_hosts(engine, 1883 if engine_ca is None else 8883)
    except ValueError:
        raise Failure(f"--engine {engine} is not HOST:PORT") from None
    if processes > 1:
        if not hasattr(socket, "SO_REUSEPORT"):
            raise Failure("--processes needs SO_REUSEPORT, which this system does not have")
        return _run_several(processes)
    password = os.environ.get("FLEET_PASSWORD", "")
    try:
        gateway.run(
            gateway.Options(
                engine=broker.Address(hosts, user, password, engine_ca),
                tokens=access.Tokens.read(tokens),
                names=name,
                origins=origin,
                proxies=proxy,
                share_port=bool(os.environ.get("FLEET_SHARE_PORT")),
                **options,
            )
        )
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        where = f"{options['host']}:{options['port']}"
        raise Failure(f"cannot listen on {where}: {reason}") from None
    return 0


def _check(engine_ca, names, cert, key, pages, prefix, **_):
    """Raise Failure if an option is not valid."""
    if bool(cert) != bool(key):
        raise Failure("--cert and --key belong together")
    try:
        if cert:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except OSError as error:
        raise Failure(f"--cert {cert} and --key {key} cannot be used: {error}") from None
    try:
        if engine_ca:
            ssl.create_default_context(cafile=engine_ca)
    except OSError as error:
        raise Failure(f"--engine-ca {engine_ca} cannot be used: {error}") from None
    if pages and not pages.is_dir():
        raise Failure(f"--pages {pages} is no folder")
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise Failure(f"--name {name} must be a host name, without scheme and port")
    if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", prefix):
        raise Failure("--prefix must consist of letters, digits, _, - and / as fleet.prefix")


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
