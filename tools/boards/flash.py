"""`make flash`: MicroPython onto a chip."""

from __future__ import annotations

import time
from pathlib import Path

from tools.failure import Failure
from tools.serialport import ports
from tools.serialport.session import Session
from tools.serialport.target import ask

from . import firmware, image, rom, table


def flash(port: str, name: str, file: Path | None, wait: float, baud: int) -> None:
    """Erase the chip and write MicroPython.

    name: CHIP=, a row or chip, or "" for whatever is found. file: the image; else the newest.
    wait: seconds for the prompt to come; 0: do not wait. baud: the rate to write at. Failure: what
    stood in the way. Nothing is erased before the image is at hand, whole, and for this chip.
    """
    boards = table.load()
    wanted = table.find(name, boards) if name else None
    if file and wanted:
        image.check(file, wanted, wanted.chip)  # needs no board
    port = ports.choose(port)
    with rom.connect(port) as chip:
        found = rom.name_of(chip)
        if wanted and wanted.chip != found:
            raise Failure(f"{port} is an {found}, not the {wanted.chip} that CHIP={name} means")
        board = wanted or table.fitting(found, rom.identify(chip).psram, boards)
        chosen = file or firmware.newest(board)
        image.check(chosen, board, found)
        print(f"writing {chosen.name} for {board.name} at {board.offset:#x}", flush=True)
        rom.faster(chip, port, baud)
        rom.erase(chip)
        rom.write(chip, board.offset, chosen)
    print("written and verified", flush=True)
    if wait:
        version = await_prompt(port, wait)
        print(f"MicroPython {version} answers. Next: make deploy PORT={port}")


def await_prompt(port: str, seconds: float) -> str:
    """MicroPython's version, once it answers: its first start makes the file system. Failure: it
    does not.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            with Session(port, patience=1, attempts=1) as session:
                return ask(session).version
        except Failure:
            if time.monotonic() > end:
                raise Failure(
                    f"the image was written and verified, but no prompt came on {port} within "
                    f"{seconds:g} s: press the board's RESET button, then try `make boards`"
                ) from None
            time.sleep(0.2)
