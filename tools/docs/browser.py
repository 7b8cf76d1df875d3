"""Start Chromium without a window, to test the board's page as a user's browser shows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# No drawing by a GPU and no process for it, and no traffic of the browser's own.
LEAN = ("--disable-background-networking", "--disable-gpu", "--in-process-gpu")
NAMES = (
    "chromium-headless-shell",  # the same engine without a user interface: half the work per page
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)


def find() -> str | None:
    """Return the browser's path, or None if this computer has none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def launch(playwright: Playwright, home: Path, *options: str) -> Browser:
    """Start the browser with a home of its own, so that it trusts only what `trust` added."""
    return playwright.chromium.launch(
        executable_path=find(),
        args=[*LEAN, *options],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )


def trust(home: Path, authority: Path) -> bool:
    """Make a browser that is started with this home trust a certificate authority (PEM).

    Returns False if there is no certutil (Debian: libnss3-tools).
    """
    if not shutil.which("certutil"):
        return False
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True, exist_ok=True)
    certutil = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    add = ["-A", "-n", "board", "-t", "C,,", "-i", str(authority)]
    subprocess.run([*certutil, *add], check=True)
    return True
