"""The chip that a virtual board imitates: limits and names of a row of firmware/boards.toml."""

from __future__ import annotations

import os
from typing import Any

from tools.board import table
from tools.board.table import Board

VARIABLE = "VIRTUALBOARD_CHIP"  # of the environment: the chip of all boards of a test run
# The highest GPIO; sources: Espressif's data sheets.
_PINS = {"esp32s2": 46, "esp32s3": 48, "esp32c2": 20, "esp32c3": 21, "esp32c5": 28}
_PINS |= {"esp32c6": 30, "esp32h2": 27, "esp32p4": 54}
_NAMES = {"esp32": "ESP32"}  # others: ESP32-C3, with a hyphen, in MicroPython 1.29
# For a chip without Wi-Fi, if the settings have no section `network`.
_PIN_NAMES = ("sck", "mosi", "miso", "cs", "int")
ETHERNET: dict[str, Any] = {
    "order": ["ethernet"],
    "ethernet_phy": "W5500",
    "ethernet_address": 0,
    "ethernet_pins": {name: number for number, name in enumerate(_PIN_NAMES, 1)},
}


def choose(name: str) -> Board:
    """Return the row for a chip, "" for that of the environment or an ESP32.

    Raises Failure if there is none.
    """
    return table.find(name or os.environ.get(VARIABLE, "") or "esp32", table.load())


def describe(board: Board) -> dict[str, Any]:
    """Return what the launcher needs to know about a chip."""
    name = _NAMES.get(board.chip, board.chip.upper().replace("ESP32", "ESP32-"))
    return {
        "machine": f"Virtual board with {name}",
        "window": board.window,
        "wifi": board.wifi,
        "rmii": "Ethernet (RMII, SPI)" in board.networks,
        "highest_pin": _PINS.get(board.chip),
    }


def with_network(board: Board, config: Any) -> Any:
    """Return the settings of a board, with Ethernet if its chip has no Wi-Fi."""
    if board.wifi or not isinstance(config or {}, dict) or "network" in (config or {}):
        return config
    return {**(config or {}), "network": ETHERNET}
