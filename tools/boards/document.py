"""docs/boards.md, made from the table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .table import Board

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "boards.md"

_HEAD = """\
# Boards

<!-- Made from firmware/boards.toml by `make format`: change that file, not this one. -->

Every ESP32 with Wi-Fi runs the server. `make boards` says which row fits the board that is plugged
in; `CHIP=` takes the first column.

"""
_COLUMNS = (
    *("`CHIP=`", "board", "MicroPython build", "from version", "offset", "native code"),
    *("cores", "SRAM", "LED", "clients", "TLS clients"),
)
_MIDDLE = """
*Clients* and *TLS clients* are what to set `max_clients` to so that an application still has
memory; a chip has 10 sockets in all. They are estimates from the memory, not measured on each
board. *LED* is the pin of the usual development kit, RGB being a WS2812.

## Notes

"""


def text(boards: list[Board]) -> str:
    """The whole document."""
    table = _line(_COLUMNS) + _line(["---"] * len(_COLUMNS))
    table += "".join(_line(_cells(board)) for board in boards)
    notes = "".join(
        f"- **{board.name}** ({_hardware(board)}): {board.notes}\n" for board in boards
    )
    return _HEAD + table + _MIDDLE + notes


def _cells(board: Board) -> list[str]:
    cells = [f"`{board.key}`", board.name]
    if board.wifi:
        cells += [f"`{board.build}`", board.least, f"`{board.offset:#x}`", f"`{board.arch}`"]
    else:
        cells += ["none: no Wi-Fi", "", "", ""]
    led = f"{board.led_pin}{' (RGB)' if board.led_kind == 'rgb' else ''}"
    cells += [str(board.cores), f"{board.sram} KB", led]
    cells += [str(board.max_clients), str(board.max_tls)] if board.wifi else ["", ""]
    return cells


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _hardware(board: Board) -> str:
    cores = "dual core" if board.cores == 2 else "single core"
    psram = ", PSRAM" if board.psram else ""
    return f"{cores}{psram}; {board.crypto} in hardware"
