"""`make boards`: what is plugged in."""

from __future__ import annotations

from tools.failure import Failure
from tools.serialport import ports
from tools.serialport.session import Session
from tools.serialport.target import ask

from . import rom, table


def survey(port: str) -> None:
    """Print what is on each serial port, or on the one that is named. What runs on a board is
    interrupted for it, and then started anew.
    """
    found = [port] if port else ports.boards()
    if not found:
        raise Failure(ports.no_board())
    rows = table.load()
    for name in found:
        try:
            print(f"{name}: {_describe(name, rows)}", flush=True)
        except Failure as failure:
            if port:
                raise
            print(f"{name}: {str(failure).removeprefix(f'{name}: ')}", flush=True)


def _describe(port: str, rows: list[table.Board]) -> str:
    try:
        with Session(port, patience=2, attempts=2) as session:
            target = ask(session)
            session.restart()
    except Failure:
        with rom.connect(port, quiet=True, attempts=2) as chip:
            found = rom.identify(chip)
        what = f"{found.name}, {found.flash} flash, MAC {found.mac}, no MicroPython that answers"
        return f"{what}; {_row(found.name, found.psram, rows)}"
    flash = f"{target.flash >> 20}MB flash" if target.flash else "flash of unknown size"
    what = f"{target.machine}, {flash}, MAC {target.mac}, MicroPython {target.version}"
    outdated = table.outdated(target.chip, target.version, rows)
    return "; ".join(filter(None, (what, _row(target.chip, target.psram, rows), outdated)))


def _row(chip: str, psram: bool, rows: list[table.Board]) -> str:
    try:
        return f"CHIP={table.fitting(chip, psram, rows).key}"
    except Failure as failure:
        return str(failure)
