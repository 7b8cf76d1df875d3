"""`make boards`: identify the connected boards."""

from __future__ import annotations

from tools.failure import Failure, spelled

from . import ports, rom, table
from .session import Session
from .target import ask


def survey(port: str) -> None:
    """Describe the board on each serial port, or on one port. The boards restart afterwards.

    Raises Failure if there is no port, or if the one port has no board.
    """
    found = [port] if port else ports.boards()
    if not found:
        raise Failure(ports.no_board())
    rows = table.load()
    for name in found:
        try:
            print(spelled(f"{name}: {_describe(name, rows)}"), flush=True)
        except Failure as failure:
            if port:
                raise
            reason = failure.message.removeprefix(f"{name}: ")
            print(spelled(f"{name}: {reason}"), flush=True)


def _describe(port: str, rows: list[table.Board]) -> str:
    try:
        with Session(port, patience=2, attempts=2) as session:
            target = ask(session)
            session.restart()
    except Failure:
        with rom.connect(port, quiet=True, attempts=2) as chip:
            found = rom.identify(chip)
        about = f"{found.name}, {found.flash} flash, MAC {found.mac}, no MicroPython answers"
        return f"{about}; {_row(found.name, found.psram, rows)}"
    flash = f"{target.flash >> 20}MB flash" if target.flash else "flash of unknown size"
    about = f"{target.machine}, {flash}, MAC {target.mac}, MicroPython {target.version}"
    outdated = table.outdated(target.chip, target.version, rows)
    return "; ".join(filter(None, (about, _row(target.chip, target.psram, rows), outdated)))


def _row(chip: str, psram: bool, rows: list[table.Board]) -> str:
    try:
        return f"CHIP={table.fitting(chip, psram, rows).key}"
    except Failure as failure:
        return str(failure)
