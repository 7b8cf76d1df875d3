"""Read and check firmware/boards.toml."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.failure import Failure

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = ROOT / "firmware" / "boards.toml"


@dataclass(frozen=True)
class Board:
    """One kind of board.

    key: the row's name; CHIP= takes it, or `chip`. chip: esptool's name. offset: the address of
    the image in the flash. build: the name of MicroPython's image. least: the oldest MicroPython
    that works. arch: mpy-cross's name for native code. sram: in KB. psram: whether the build uses
    one. led_pin: -1 without one. led_kind: "plain", or "rgb" (WS2812). boot: the pin of its BOOT
    button. sockets: of lwIP, listeners included. window: TCP's receive window and send buffer, in
    bytes. max_clients, max_tls: recommended values. wifi: without it, the board needs Ethernet or
    PPP.
    """

    key: str
    name: str
    chip: str
    wifi: bool
    offset: int
    build: str
    least: str
    arch: str
    cores: int
    sram: int
    psram: bool
    led_pin: int
    led_kind: str
    boot: int
    crypto: str
    sockets: int
    window: int
    max_clients: int
    max_tls: int
    notes: str

    @property
    def networks(self) -> tuple[str, ...]:
        """Return the kinds of networks that MicroPython's image for the board supports."""
        ethernet = "Ethernet (RMII, SPI)" if self.chip in _RMII else "Ethernet (SPI)"
        return (*(("Wi-Fi",) if self.wifi else ()), ethernet, "PPP")

    def native_arch(self, version: tuple[int, ...]) -> str:
        """Return mpy-cross's name for native code that a version of MicroPython loads, or ""."""
        return "" if self.arch == "rv32imc" and version < _RISCV_NATIVE else self.arch


_FIELDS: dict[str, type] = {
    "name": str,
    "chip": str,
    "offset": int,
    "build": str,
    "least": str,
    "arch": str,
    "cores": int,
    "sram": int,
    "psram": bool,
    "led": dict,
    "boot": int,
    "crypto": str,
    "sockets": int,
    "window": int,
    "max_clients": int,
    "max_tls": int,
    "notes": str,
}
_RMII = ("esp32", "esp32p4")  # chips with an Ethernet controller of their own
_PATTERNS = {
    "chip": r"esp32[a-z0-9]*",
    "build": r"[A-Z0-9_]+(-[A-Z0-9_]+)?",
    "least": r"\d+\.\d+\.\d+",
    "arch": "xtensawin|rv32imc",
}
_RISCV_NATIVE = (1, 24)  # the first version that loads native code on RISC-V


def load(path: Path = TABLE) -> list[Board]:
    """Return all rows in the file's order. Raises Failure, with the field, if one is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    return list(_rows(path, content))


@lru_cache(maxsize=2)
def _rows(path: Path, content: bytes) -> list[Board]:
    try:
        rows = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{path} is not TOML: {error}") from None
    boards = [_board(path, key, row) for key, row in rows.items()]
    if not boards:
        raise Failure(f"{path} has no rows")
    return boards


def find(name: str, boards: list[Board]) -> Board:
    """Return the row for CHIP=name: the row with that key, or the first one of that chip.

    "c3" is short for "esp32c3".

    Raises Failure if there is none.
    """
    wanted = name.lower()
    plain = wanted.replace("-", "").replace("_", "")
    plain = plain if plain.startswith("esp32") else f"esp32{plain}"
    keys = (wanted, f"esp32{wanted}")
    board = next((board for board in boards if board.key in keys), None)
    board = board or next((board for board in boards if board.chip == plain), None)
    if board is None:
        known = ", ".join(board.key for board in boards)
        raise Failure(f"CHIP={name} is not known: use one of {known}")
    return board


def fitting(chip: str, psram: bool, boards: list[Board]) -> Board:
    """Return the row for a chip. Raises Failure if there is none."""
    rows = [board for board in boards if board.chip == chip]
    if not rows:
        known = ", ".join(sorted({board.chip for board in boards}))
        raise Failure(f"there is no row for {chip}; this project is for {known}")
    return next((row for row in rows if row.psram == psram), rows[0])


def outdated(chip: str, version: str, boards: list[Board]) -> str:
    """Return a warning if a chip's MicroPython is older than its row requires, else ""."""
    row = next((board for board in boards if board.chip == chip), None)
    if row is None or _numbers(version) >= _numbers(row.least):
        return ""
    return f"its MicroPython {version} is too old, {row.least} is needed: make flash"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _board(path: Path, key: str, row: Any) -> Board:
    def stop(problem: str) -> Failure:
        return Failure(f"{path}: [{key}]: {problem}")

    if not isinstance(row, dict):
        raise stop("must be a section")
    wifi = row.get("wifi", True)
    if not isinstance(wifi, bool):
        raise stop("wifi: must be true or false")
    _check_fields(row, stop)
    led = row["led"]
    if (
        set(led) != {"pin", "kind"}
        or type(led["pin"]) is not int
        or led["kind"] not in ("plain", "rgb")
    ):
        raise stop('led: must be { pin = NUMBER, kind = "plain" or "rgb" }')
    if not 0 <= row["max_tls"] <= row["max_clients"] < row["sockets"]:
        raise stop("max_tls and max_clients: 0 <= max_tls <= max_clients < sockets")
    if row["offset"] % 0x1000:
        raise stop("offset: must be a multiple of 0x1000")
    values = {**row, "key": key, "wifi": wifi}
    del values["led"]
    return Board(**values, led_pin=led["pin"], led_kind=led["kind"])


def _check_fields(row: dict[str, Any], stop: Callable[[str], Failure]) -> None:
    """Raise what stop(problem) returns if a field is unknown, missing or of a wrong form."""
    for name in row:
        if name not in _FIELDS and name != "wifi":
            raise stop(f"{name}: no such field; there are {', '.join(sorted(_FIELDS))}")
    for name, kind in _FIELDS.items():
        if name not in row:
            raise stop(f"{name}: is missing")
        if type(row[name]) is not kind:
            raise stop(f"{name}: must be of type {kind.__name__}, not {row[name]!r}")
        if name in _PATTERNS and not re.fullmatch(_PATTERNS[name], row[name]):
            raise stop(f"{name}: {row[name]!r} does not look like one ({_PATTERNS[name]})")
