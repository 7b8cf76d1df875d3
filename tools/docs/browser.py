"""Chromium without a window: it looks at the board's page as a person's browser does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The browser's path, or None: this machine has none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def launch(playwright: Playwright, home: Path) -> Browser:
    """Start the browser, with a home of its own, so that it trusts what `trust` put there only."""
    return playwright.chromium.launch(
        executable_path=find(),
        args=["--disable-background-networking"],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )


def trust(home: Path, authority: Path) -> bool:
    """Have a browser that is started with this home trust a certificate authority (PEM). False:
    there is no certutil (Debian: libnss3-tools) to tell it.
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
