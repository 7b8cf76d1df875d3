"""`python -m tools.serialport`: make monitor, make repl, make reset, make backup."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools.failure import Failure, run
from tools.flashfiles import ROOT

from . import ports
from .backup import backup
from .monitor import monitor
from .session import Session, reset_by_wire


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tools.serialport", description=__doc__)
    parser.add_argument("command", choices=("monitor", "repl", "reset", "backup"))
    parser.add_argument("--port", default="", help="device, COM port or pyserial URL")
    parser.add_argument("--to", type=Path, default=ROOT / "backup", help="where backups go")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> int:
    """Carry a command out; returns the exit status. Failure: it could not be."""
    port = ports.choose(options.port)
    if options.command == "monitor":
        try:
            monitor(port)
        except KeyboardInterrupt:
            print()
    elif options.command == "repl":
        return _repl(port)
    elif options.command == "reset":
        _reset(port)
    else:
        print(f"the board's files are in {backup(port, options.to)}")
    return 0


def _repl(port: str) -> int:
    """mpremote's own, once it is clear that the port can be used."""
    problem = ports.problem(port)
    if problem:
        raise problem
    return subprocess.call([sys.executable, "-m", "mpremote", "connect", ports.url(port), "repl"])


def _reset(port: str) -> None:
    try:
        with Session(port, patience=2, attempts=1) as session:
            session.restart()
    except Failure:
        reset_by_wire(port)
        print(f"{port}: no prompt; the reset line was pulsed, which most boards obey")
    else:
        print(f"{port}: restarted; `make monitor PORT={port}` shows what it says")


if __name__ == "__main__":
    _options = parse(None)
    sys.exit(run(f"make {_options.command}", lambda: main(_options)))
