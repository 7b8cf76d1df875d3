"""Use a chip's boot loader through esptool: identify, erase, write."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import esptool
from esptool.logger import log

from tools.failure import Failure

from . import ports

_NO_LOADER = (
    "no ESP32 answers there. Hold the board's BOOT button, press and release RESET, release BOOT, "
    "and try again"
)
# MB. A smaller PSRAM in an S3 is a quad one, which the plain build uses.
_LEAST_PSRAM = {"esp32s3": 8}
_ERRORS = (esptool.FatalError, OSError, ValueError)  # pyserial's errors are OSErrors


@dataclass(frozen=True)
class Chip:
    """A chip that was found.

    name: as in firmware/boards.toml. mac: "24:0a:c4:...". flash: such as "4MB". psram: whether
    the chip contains one that needs a build of its own; a separate PSRAM chip is not detected.
    """

    name: str
    mac: str
    flash: str
    psram: bool


@contextlib.contextmanager
def connect(port: str, quiet: bool = False, attempts: int = 7) -> Iterator[esptool.ESPLoader]:
    """Connect to a chip's boot loader. The chip runs its program again afterwards.

    quiet: suppress esptool's output. Raises Failure if the port cannot be used, no chip answers,
    or an operation fails.
    """
    screen = contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext()
    log.set_verbosity("silent" if quiet else "auto")
    with screen:
        try:
            chip = esptool.detect_chip(ports.url(port), connect_attempts=attempts)
        except _ERRORS:
            raise ports.explain(port, _NO_LOADER) from None
        try:
            chip = esptool.run_stub(chip)
            esptool.attach_flash(chip)
            yield chip
        except _ERRORS as error:
            text = str(error).strip().splitlines()[0]
            raise Failure(f"{port}: {text}; check the cable and run this again") from None
        finally:
            with contextlib.suppress(*_ERRORS):
                esptool.reset_chip(chip, "hard-reset")
            with contextlib.suppress(OSError):
                chip._port.close()


def identify(chip: esptool.ESPLoader) -> Chip:
    """Identify a chip. A flash of unknown size is "?"."""
    name = name_of(chip)
    sizes = re.findall(r"PSRAM (\d+)MB", " ".join(chip.get_chip_features()))
    return Chip(
        name=name,
        mac=":".join(f"{part:02x}" for part in chip.read_mac()),
        flash=esptool.detect_flash_size(chip) or "?",
        psram=any(int(size) >= _LEAST_PSRAM.get(name, 0) for size in sizes),
    )


def name_of(chip: esptool.ESPLoader) -> str:
    """Return esptool's name for a chip, as in firmware/boards.toml."""
    return chip.CHIP_NAME.lower().replace("-", "")


def flash_megabytes(chip: esptool.ESPLoader) -> int:
    """Return the size of the flash in MB, 0 if it is unknown."""
    found = re.fullmatch(r"(\d+)MB", esptool.detect_flash_size(chip) or "")
    return int(found[1]) if found else 0


def faster(chip: esptool.ESPLoader, port: str, baud: int) -> None:
    """Change the baud rate, except on a network port."""
    if not port.startswith("socket:"):
        chip.change_baud(baud)


def erase(chip: esptool.ESPLoader) -> None:
    """Erase the whole flash."""
    esptool.erase_flash(chip)


def write(chip: esptool.ESPLoader, offset: int, image: Path) -> None:
    """Write an image. esptool compares an MD5 of the flash afterwards."""
    esptool.write_flash(chip, [(offset, str(image))])
