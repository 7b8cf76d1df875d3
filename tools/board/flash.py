"""`make flash` and `make erase`: write MicroPython to a chip, erase it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tools.failure import Failure, Interrupted, spelled

from . import download, image, ports, rom, table
from .session import Session
from .table import Board
from .target import ask


class Complete(Protocol):
    """Makes an image with the firmware's files (tools.deploy.imaging), and starts it."""

    def make(self, board: Board, stock: Path, flash: int, folder: Path) -> Path:
        """Return the image for a chip with `flash` MB, in `folder`. May raise Failure."""

    def start(self, port: str, wait: float) -> None:
        """Restart the board and wait until it serves. May raise Failure."""


def flash(
    port: str,
    name: str,
    file: Path | None,
    wait: float,
    baud: int,
    complete: Complete | None = None,
) -> None:
    """Erase the chip and write MicroPython.

    name: CHIP=, a row or chip, or "" for the chip that is found. file: the image, or None for the
    newest. wait: seconds to wait for the prompt, or 0. baud: the rate to write at. Nothing is
    erased before the image is complete and known to be for this chip. complete: make(board,
    MicroPython's image, MB of flash) returns the image with the firmware's files, and start(port,
    wait) waits until it serves.

    Raises Failure if the port, the chip or the image cannot be used.
    """
    boards = table.load()
    wanted = table.find(name, boards) if name else None
    if file and wanted:
        image.check(file, wanted, wanted.chip)
    port = ports.choose(port)
    with rom.connect(port) as chip:
        found = rom.name_of(chip)
        if wanted and wanted.chip != found:
            raise Failure(f"{port} is an {found}, not the {wanted.chip} that CHIP={name} means")
        board = wanted or table.fitting(found, rom.identify(chip).psram, boards)
        chosen = file or download.newest(board)
        image.check(chosen, board, found)
        size = rom.flash_megabytes(chip)
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            if complete:
                chosen = complete.make(board, chosen, size, Path(folder))
            print(f"writing {chosen.name} for {board.name} at {board.offset:#x}", flush=True)
            rom.faster(chip, port, baud)
            with _complete(port):
                rom.erase(chip)
                rom.write(chip, board.offset, chosen)
    print("written and verified", flush=True)
    if complete and wait:
        await_prompt(port, wait)
        complete.start(port, 2 * wait)
    elif wait:
        version = await_prompt(port, wait)
        print(spelled(f"MicroPython {version} answers. Next: make deploy PORT={port}"))


@contextlib.contextmanager
def _complete(port: str) -> Iterator[None]:
    """Raise Interrupted if Ctrl-C ends what changes the flash."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"{port}: interrupted. The chip has no complete firmware now: run this again"
        ) from None


def await_prompt(port: str, seconds: float) -> str:
    """Wait for MicroPython's prompt and return its version. The first start makes a file system.

    Raises Failure if there is no prompt in time.
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


def erase(port: str, yes: bool) -> None:
    """Erase the whole flash. yes: do not ask.

    Raises Failure if the user does not agree, or if the port cannot be used.
    """
    port = ports.choose(port)
    if not yes and not _agreed(port):
        raise Failure("nothing was erased")
    with rom.connect(port) as chip, _complete(port):
        rom.erase(chip)
    print(spelled(f"erased. Next: make flash PORT={port}"))


def _agreed(port: str) -> bool:
    try:
        answer = input(
            f"Everything on {port} will be lost, including its settings and certificates "
            "(`make backup` keeps a copy). Erase it? [y/N] "
        )
    except EOFError:
        raise Failure("YES=1 is needed without a terminal") from None
    return answer.strip().lower() in ("y", "yes")
