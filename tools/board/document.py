"""Generate docs/boards.md from firmware/boards.toml."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from tools import ROOT

from .table import Board

DOCUMENT = ROOT / "docs" / "boards.md"

_HEAD = """\
# Boards

<!-- Made from firmware/boards.toml by `make format`: change that file, not this one. -->

Every ESP32 with Wi-Fi runs the server. `make boards` names the row that fits a connected board.
`CHIP=` takes the first column.

"""
_COLUMNS = (
    *("`CHIP=`", "board", "MicroPython build", "from version", "offset", "native code"),
    *("cores", "SRAM", "LED", "clients", "TLS clients"),
)
_MIDDLE = """
*Clients* and *TLS clients* are recommended values of `max_clients` and `max_tls` that leave memory
for an application. They are estimates, not measured on each board. A chip has 10 sockets. *LED* is
the pin on the usual development kit; RGB means a WS2812.

## Notes

"""


def text(boards: list[Board]) -> str:
    """Return the whole document."""
    table = _line(_COLUMNS) + _line(["---"] * len(_COLUMNS))
    table += "".join(_line(_cells(board)) for board in boards)
    notes = "".join(map(_note, boards))
    return _HEAD + table + _MIDDLE + notes


def _note(board: Board) -> str:
    """Return a list item, wrapped like other Markdown."""
    note = f"- **{board.name}** ({_hardware(board)}): {board.notes}"
    return textwrap.fill(note, 100, subsequent_indent="  ", break_on_hyphens=False) + "\n"


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
