"""A board without hardware: the firmware's own files on MicroPython's Unix port. See
docs/virtual-board.md.
"""

from .interpreter import NoInterpreterError, find_micropython

try:
    from .board import VirtualBoard
except ImportError:  # Windows has no pseudo terminals; __main__ says so
    VirtualBoard = None  # type: ignore[assignment,misc]

__all__ = ["NoInterpreterError", "VirtualBoard", "find_micropython"]
