"""`python -m tools.boards`: make boards, make flash, make erase, and docs/boards.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.failure import Failure, run
from tools.serialport import ports

from . import document, rom, table
from .flash import flash
from .survey import survey


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tools.boards", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("boards", help="what is plugged in")
    flashing = commands.add_parser("flash", help="erase a chip and write MicroPython")
    erasing = commands.add_parser("erase", help="erase a chip")
    commands.add_parser("document", help="make docs/boards.md anew")
    for command in (listing, flashing, erasing):
        command.add_argument("--port", default="", help="device, COM port or pyserial URL")
    flashing.add_argument("--chip", default="", help="row of docs/boards.md; else it is detected")
    flashing.add_argument("--firmware", type=Path, help="the image; else the newest MicroPython")
    flashing.add_argument(
        "--wait", type=float, default=30, help="seconds to wait for the prompt; 0: do not"
    )
    flashing.add_argument("--baud", type=int, default=rom.BAUD, help="how fast to write")
    erasing.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> None:
    """Carry a command out. Failure: it could not be."""
    if options.command == "boards":
        survey(options.port)
    elif options.command == "flash":
        flash(options.port, options.chip, options.firmware, options.wait, options.baud)
    elif options.command == "erase":
        _erase(options)
    else:
        document.DOCUMENT.write_text(document.text(table.load()), encoding="utf-8")


def _erase(options: argparse.Namespace) -> None:
    port = ports.choose(options.port)
    if not options.yes and not _agreed(port):
        raise Failure("nothing was erased")
    with rom.connect(port) as chip:
        rom.erase(chip)
    print(f"erased. Next: make flash PORT={port}")


def _agreed(port: str) -> bool:
    try:
        answer = input(
            f"Everything on {port} will be lost, its settings and certificates too "
            "(`make backup` keeps a copy). Erase it? [y/N] "
        )
    except EOFError:
        raise Failure("say YES=1 where there is nobody to ask") from None
    return answer.strip().lower() in ("y", "yes")


if __name__ == "__main__":
    _options = parse(None)
    sys.exit(run(f"make {_options.command}", lambda: main(_options)))
