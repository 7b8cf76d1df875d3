"""`python -m tools.deploy`, which is `make deploy`: the firmware's files onto a board."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from tools import codes
from tools.boards import table
from tools.failure import Failure, run, warn
from tools.flashfiles import CERTIFICATES, ROOT, firmware
from tools.serialport import ports
from tools.serialport.session import Session
from tools.serialport.target import Target, ask

from . import join, own, plan, transfer, wireless
from .build import build
from .progress import Progress

_PROMPT = re.compile(r"MicroPython \S+ on \d{4}-")  # the prompt's greeting: main.py has ended


def deploy(options: argparse.Namespace) -> None:
    """Deploy to the board at options.port, or options.host. Failure: what stood in the way."""
    if options.host:
        if options.port:
            raise Failure("PORT is for a cable and HOST for Wi-Fi: give one of them")
        wireless.deploy(options)
        return
    port = ports.choose(options.port)
    if options.config:
        own.read_config(options.config, options.root)  # before anything is touched
    own.read_certificates(options.root / CERTIFICATES, options.certs)
    with Session(port) as session:
        target = ask(session)
        print(f"{port}: MicroPython {target.version}, {target.machine}", flush=True)
        outdated = table.outdated(target.chip, target.version, table.load())
        if outdated:
            warn(outdated)
        _deploy_files(session, target, options)
        network = None if options.wait == 0 else join.ask(session)
        session.restart()
        if options.wait:
            print("restarting; the board says:", flush=True)
            _wait_until_serving(session, port, options.wait)
    if network:
        _show_network(*network)


def _deploy_files(session: Session, target: Target, options: argparse.Namespace) -> None:
    wanted = build(firmware(options.root), target, options.source, warn)
    store = transfer.Store(session)
    found = store.look()
    extra, notes = own.to_send(found, options.config, options.certs, options.root)
    for note in notes:
        print(note)
    todo = plan.make(wanted, found)
    todo.copy.update(plan.make(extra, found).copy)
    transfer.check_room(todo, target.free)
    progress = Progress(list(todo.copy))
    store.carry_out(todo, progress, lambda path: print(f"  removing {path}", flush=True))
    _verify(store, {**wanted, **extra})
    kept = len(wanted) + len(extra) - len(todo.copy)
    print(
        f"{len(todo.copy)} files copied, {len(todo.remove)} removed, "
        f"{kept} unchanged; all verified",
        flush=True,
    )


def _verify(store: transfer.Store, wanted: dict[str, bytes]) -> None:
    left = plan.make(wanted, store.look())
    if left.copy:
        raise Failure(f"{', '.join(left.copy)}: not on the board as sent; run this again")


def _wait_until_serving(session: Session, port: str, seconds: float) -> None:
    for line in session.lines(seconds):
        print(f"  | {line}", flush=True)
        serving = codes.SERVING.search(line)
        if serving:
            scheme, address, number = serving.groups()
            page = {"ws": "http", "wss": "https"}[scheme]
            as_well = "; the same over TLS" if line.endswith(" and wss://") else ""
            print(
                f"ready: {page}://{address}:{number}/ and {scheme}://{address}:{number}/ws{as_well}"
            )
            return
        if _PROMPT.match(line):
            break
    raise Failure(
        "everything is on the board, but it does not serve: its log, above, says why; "
        f"`make monitor PORT={port}` shows what it says from now on"
    )


def _show_network(ssid: str, password: str, hidden: bool) -> None:
    print(f"join its Wi-Fi: {ssid!r}, {f'password {password}' if password else 'open'}")
    if codes.can_be_shown():
        print(codes.wifi(ssid, password, hidden))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=__doc__)
    parser.add_argument("--port", default="", help="device, COM port or pyserial URL")
    parser.add_argument(
        "--host",
        default="",
        help="over Wi-Fi instead: address, address:port, ws://... or wss://...",
    )
    parser.add_argument(
        "--ca", type=Path, default=ROOT / CERTIFICATES / "ca.pem", help="the authority for wss://"
    )
    parser.add_argument("--source", action="store_true", help="deploy lib/ as .py")
    parser.add_argument("--config", type=Path, help="replace the board's config.json by this")
    parser.add_argument("--certs", action="store_true", help="replace the board's certificates")
    parser.add_argument(
        "--wait", type=float, default=60, help="seconds to wait for the start; 0: do not"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="where boot.py, lib/ ... are")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run("make deploy", lambda: deploy(parse(None))))
