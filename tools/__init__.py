"""The host side: everything that runs on the computer and never on the board."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
