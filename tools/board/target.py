"""Identify a board: its chip, its MicroPython, its flash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .session import Session

# The index in sys.implementation._mpy (MicroPython's documentation, ".mpy files").
_ARCHITECTURES = (
    *("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)
_PSRAM = 1 << 20  # bytes of heap: more than any chip has without PSRAM
_ASK = """
import gc, sys, os, machine
try:
    import esp
    _flash = esp.flash_size()
except (ImportError, AttributeError):
    _flash = 0
_s = os.statvfs("/")
_i = sys.implementation
_m = os.uname().machine if hasattr(os, "uname") else getattr(_i, "_machine", sys.platform)
print(repr((tuple(_i.version)[:3], _m, getattr(_i, "_mpy", 0),
    machine.unique_id(), _flash, gc.mem_free() + gc.mem_alloc(), _s[0] * _s[3])))
"""


@dataclass(frozen=True)
class Target:
    """What a board's MicroPython reports.

    version: of MicroPython, such as "1.25.0". machine: its name for the board. chip: the name in
    firmware/boards.toml that follows from it. mpy_version: version and sub-version of the .mpy
    files that it loads. arch: mpy-cross's name for its native code, "" if it runs none. flash:
    bytes, 0 if unknown. free: free bytes in its file system. psram: whether it uses a PSRAM that
    needs a build of its own.
    """

    version: str
    machine: str
    chip: str
    mpy_version: tuple[int, int]
    arch: str
    mac: str
    flash: int
    psram: bool
    free: int


def ask(session: Session) -> Target:
    """Ask the board at a prompt."""
    return described(*session.value(_ASK))


def described(
    version: Sequence[int],
    machine: str,
    mpy: int,
    unique: bytes,
    flash: int,
    heap: int,
    free: int,
) -> Target:
    """Return the Target for what MicroPython reports: heap, flash and free in bytes."""
    index = mpy >> 10 & 15
    # "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"
    chip = machine.rpartition(" with ")[2].lower().replace("-", "")
    return Target(
        version=".".join(str(part) for part in version),
        machine=machine,
        chip=chip,
        mpy_version=(mpy & 0xFF, mpy >> 8 & 3),
        arch=_ARCHITECTURES[index] if index < len(_ARCHITECTURES) else "",
        mac=":".join(f"{part:02x}" for part in unique),
        flash=flash,
        # The plain build for an S3 uses quad PSRAM.
        psram="Octal" in machine if chip == "esp32s3" else heap >= _PSRAM,
        free=free,
    )
