"""Fills a board's flash: what lands on a real board, and nothing else of the repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .interpreter import compile_mpy, find_mpy_cross, native_arch

FILES = ("boot.py", "main.py")
FOLDERS = ("lib", "www", "certs")


def fill(flash: Path, root: Path, source: bool = False) -> None:
    """Copy the firmware from `root` to `flash`; lib/ as .mpy where this machine can compile it.

    source: leave lib/ as it is.
    """
    flash.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (root / name).exists():
            shutil.copyfile(root / name, flash / name)
    for name in FOLDERS:
        if (root / name).exists():
            shutil.rmtree(flash / name, ignore_errors=True)
            shutil.copytree(
                root / name,
                flash / name,
                ignore=shutil.ignore_patterns("__pycache__", ".git*", "*.pyc"),
            )
    if not source and find_mpy_cross() and native_arch():
        compile_library(flash)


def compile_library(flash: Path) -> None:
    """Replace every lib/**/*.py by its .mpy, which takes less of the heap to load."""
    for path in sorted((flash / "lib").rglob("*.py")):
        compile_mpy(path, path.with_suffix(".mpy"), str(path.relative_to(flash / "lib")))
        path.unlink()


def put(flash: Path, files: dict[str, str | bytes]) -> None:
    """Write files, by their paths on the board. A lib/x.py replaces a compiled one."""
    for name, content in files.items():
        path = flash / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if path.suffix == ".py":
            path.with_suffix(".mpy").unlink(missing_ok=True)


def put_config(flash: Path, config: dict | Path | None) -> dict[int, str]:
    """Put a config.json onto the flash; returns the ports that it makes the board listen on, by
    what for.

    A file is copied byte for byte, broken or not: the board has to cope with it.
    """
    if isinstance(config, dict):
        (flash / "config.json").write_text(json.dumps(config))
    elif config is not None:
        shutil.copyfile(config, flash / "config.json")
    try:
        settings = json.loads((flash / "config.json").read_text())
        http = settings.get("server", {}).get("port", 80)
        https = settings.get("tls", {}).get("port", 443)
    except (OSError, ValueError, AttributeError):
        http, https = 80, 443
    ports = {443: "https", 80: "http"}
    ports.update(
        {port: what for port, what in ((https, "https"), (http, "http")) if isinstance(port, int)}
    )
    return ports
