"""The host side: everything that runs on the computer and never on the board."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A checkout of the repository, or a folder of an installed package, which is not for files of the
# user: config.json, certs/, build/ and others are then in the current folder.
IS_CHECKOUT = (ROOT / "Makefile").is_file()
HOME = ROOT if IS_CHECKOUT else Path.cwd()
PROGRAM = "python -m tools" if IS_CHECKOUT else "esp32-ws"


def home(root: Path) -> Path:
    """Return the folder with the user's files for a folder with the board's files."""
    return HOME if root == ROOT else root
