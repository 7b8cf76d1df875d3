"""A board without hardware: the firmware's own files on MicroPython's Unix port. See
docs/virtual-board.md.
"""

from typing import TYPE_CHECKING

from .interpreter import NoInterpreterError, find_micropython

if TYPE_CHECKING:
    from .board import VirtualBoard

__all__ = ["NoInterpreterError", "VirtualBoard", "find_micropython"]


def __getattr__(name: str):
    """Import the class on first use: on Windows, which has no pseudo terminals, it fails."""
    if name != "VirtualBoard":
        raise AttributeError(name)
    from .board import VirtualBoard

    return VirtualBoard
