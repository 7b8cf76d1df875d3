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

Every ESP32 runs the server, with Wi-Fi, Ethernet or PPP. `make boards` names the row that fits a
connected board. `CHIP=` takes the first column.

"""
_COLUMNS = (
    *("`CHIP=`", "board", "MicroPython build", "from version", "offset", "native code"),
    *("cores", "SRAM", "LED", "BOOT", "sockets", "TCP window", "clients", "TLS clients"),
)
_MIDDLE = """
*LED* is the pin on the usual development kit; RGB means a WS2812. *BOOT* is
the pin of the button ([safety.md](safety.md#a-forgotten-password)). *Sockets* and *TCP window* are
those of MicroPython's images. *Clients* and *TLS clients* are recommended values of
`server.max_clients` and `tls.max_clients`. They are estimates, except for the two TLS connections
of an ESP32 without PSRAM, measured on the 32-bit virtual board. The rows of ESP32-C2, C5, P4 and
H2 follow from MicroPython's sources and Espressif's data sheets; nothing was tried on these chips.

## Networks

| `CHIP=` | networks |
| --- | --- |
{networks}

[settings.md](settings.md#network) describes the settings. RMII is for a PHY such as the LAN8720,
SPI for a W5500. PPP needs a serial port and a peer, such as a modem or a Linux computer with
`pppd`.

An **ESP32-H2** or **ESP32-P4** has no Wi-Fi, but MicroPython's images for them have Ethernet over
SPI and PPP, with sockets and TLS. With a W5500 or a serial line, they run this library and this
firmware themselves. Over its own radios, an ESP32-H2 needs a gateway:

- **Bluetooth LE**: MicroPython has GATT and L2CAP, but no IP over Bluetooth LE (6LoWPAN). Without
  IP there are no sockets, so no browser can reach the board. A gateway, such as an ESP32-C6, must
  translate GATT messages.
- **802.15.4** (Thread, Zigbee): MicroPython's images are built without it. A Thread device also
  needs a border router to reach the local network.

## Sockets

A chip has ten sockets in all, an ESP32-C2 has six. At startup the board lowers
`server.max_clients` to the sockets that are left, with a log line:

| use | sockets |
| --- | --- |
| HTTP listener | 1 |
| TLS listener, if there is a certificate | 1 |
| DNS of the captive portal, with the board's own access point | 1 |
| HTTP requests: pages, settings, updates | at least 2 |
| clients | the rest: 5; without DNS 6; without DNS and TLS 7. ESP32-C2: 1, 2 and 3 |

## Memory

On an ESP32 without PSRAM, MicroPython's GC heap starts with 56,000 bytes, and 94 KB of IDF heap
remain once Wi-Fi is up. A TLS connection takes 24 KB of the IDF heap. A program whose GC heap
does not grow serves three of them. From files, the firmware needs more than 56,000 bytes. With a
certificate, it grows the GC heap to 98,000 bytes at start-up, permanently, and two TLS
connections fit ([design.md](design.md#memory)). With [frozen modules](#romfs-and-frozen-modules)
the GC heap does not grow, and three fit. Other chips start with a GC heap of 64,000 bytes; the
size of their IDF heap has not been measured. With PSRAM, the GC heap lies there. The server
checks the free memory before it accepts a TLS connection, so a setting that is too large only
leads to refused connections.

## ROMFS and frozen modules

Code in a ROMFS, or frozen into MicroPython's image, runs from flash and takes less of the heap.
The 32-bit virtual board with a certificate, in bytes:

| 32-bit board, `HEAP=chip` | files | ROMFS | frozen |
| --- | --- | --- | --- |
| serving | 66,240 | 42,752 | 33,616 |
| page, settings, five clients used; `/demo` closed | 73,888 | 49,360 to 52,624 | 35,424 |
| `/demo` open with statistics | 87,696 | 56,144 to 59,376 | 40,080 |
| largest free block then | 5,632 to 6,416 | 6,112 to 13,952 | 8,192 |
| GC heap grows beyond 56,000 | at start-up, to 98,304 | at start-up, to 75,008 | never |
| largest allocation after Wi-Fi is up | 4,504 | 4,504 | 4,089 |
| `wss` clients beside two plain ones | 2 | 3 | 3 |
| garbage of an idle server | 0 | 0 | 0 |
| time to start, relative to 97b7781 | 0.8 to 1.0 | 0.8 to 1.0 | 0.5 to 0.7 |

    make bench-memory WORD=32
    make bench-memory WORD=32 ROMFS=1
    make bench-memory WORD=32 MICROPYTHON=/path/to/micropython   # with frozen modules

[virtual-board.md](virtual-board.md#frozen-modules) describes how to build the last one. An
interpreter built in the same way, but without frozen modules, agrees with Debian's to 0.5 %.

The firmware sees where its code lies. It grows its heap less from a ROMFS, and not when it is
frozen. It then keeps the live log without PSRAM, and serves the settings page beside the demo's
page.

Which builds have them, in MicroPython 1.25 to 1.28 and 1.29 preview:

- **ROMFS**: no ESP32 board's configuration sets `MICROPY_VFS_ROM`, so no published image has
  one. The driver is there (`ports/esp32/esp32_partition.c`) for a build of your own. MicroPython's
  `partitions-4MiB-romfs.csv` has 128 KB for it, but the image of `lib/` takes 240 KB: it
  needs another partition table.
- **Frozen modules**: every ESP32 board, in a build of your own with `FROZEN_MANIFEST`. They make
  the image about 300 KB larger (measured with the Unix port).

[install.md](install.md#romfs) has the commands for both.

## Notes

"""


def text(boards: list[Board]) -> str:
    """Return the whole document."""
    table = _line(_COLUMNS) + _line(["---"] * len(_COLUMNS))
    table += "".join(_line(_cells(board)) for board in boards)
    notes = "".join(map(_note, boards))
    networks = "\n".join(f"| `{board.key}` | {', '.join(board.networks)} |" for board in boards)
    return _HEAD + table + _MIDDLE.format(networks=networks) + notes


def _note(board: Board) -> str:
    """Return a list item, wrapped like other Markdown."""
    note = f"- **{board.name}** ({_hardware(board)}): {board.notes}"
    return textwrap.fill(note, 100, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def _cells(board: Board) -> list[str]:
    cells = [f"`{board.key}`", board.name, f"`{board.build}`", board.least]
    cells += [f"`{board.offset:#x}`", f"`{board.arch}`", str(board.cores), f"{board.sram} KB"]
    led = f"{board.led_pin}{' (RGB)' if board.led_kind == 'rgb' else ''}"
    cells += [led if board.led_pin >= 0 else "none", str(board.boot)]
    cells += [str(board.sockets), f"{board.window:,}"]
    return [*cells, str(board.max_clients), str(board.max_tls)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _hardware(board: Board) -> str:
    cores = "dual core" if board.cores == 2 else "single core"
    psram = ", PSRAM" if board.psram else ""
    return f"{cores}{psram}; {board.crypto} in hardware"
