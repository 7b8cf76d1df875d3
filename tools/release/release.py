"""`make release`: build everything that a release consists of into build/release, and check it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tools import ROOT
from tools.board import download, table
from tools.deploy import imaging, package, romfs, updatefile
from tools.deploy.mpycross import ARCHITECTURES
from tools.failure import Failure, warn
from tools.lint.checks import generated, lint

from . import build, changelog

_SUMS = "SHA256SUMS"
_BOARD_CPUS = [name for name in ARCHITECTURES if name not in ("x64", "x86")]


@dataclass(frozen=True)
class Options:
    """What to build.

    version: set this version first, and its section in CHANGELOG.md; "" for the present one. base:
    the address at which the packages for mip will be published. images: build an image for every
    board whose MicroPython is in firmware/ or can be downloaded. firmware: a folder with
    MicroPython's images, which is used instead of both. checks: run `make lint` first. to: the
    folder, which is replaced.
    """

    version: str = ""
    base: str = ""
    images: bool = True
    firmware: Path | None = None
    checks: bool = True
    to: Path = build.FOLDER
    root: Path = ROOT


def release(options: Options, today: date | None = None) -> list[Path]:
    """Build a release and return its files. Raises Failure at the first thing that is wrong."""
    root = options.root
    if options.version:
        changelog.bump(options.version, today or date.today(), root)
        for file, content in generated(root).items():
            file.write_text(content, encoding="utf-8")
    version = changelog.version(root)
    notes = changelog.notes(version, root)
    if options.checks and lint(root):
        raise Failure("make lint has findings: a release must have none")
    shutil.rmtree(options.to, ignore_errors=True)
    options.to.mkdir(parents=True)
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("wheel", lambda: _wheel(options, version)),
        ("packages for mip", lambda: _mip(options, version)),
        ("update file", lambda: _update(options, version)),
        ("ROMFS", lambda: _romfs(options)),
        ("images", lambda: _images(options) if options.images else None),
    )
    for name, step in steps:
        step()
        print(f"release: {name}: ok", flush=True)
    # Of the files that are published side by side. Packages for mip become a tag of their own.
    published = sorted(path for path in options.to.iterdir() if path.is_file())
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in published
    )
    (options.to / _SUMS).write_bytes(sums.encode())
    (options.to / "NOTES.md").write_bytes(f"{notes}\n".encode())
    files = sorted(path for path in options.to.rglob("*") if path.is_file())
    print(f"release {version}: {len(files)} files in {options.to}")
    print(f"publish: git tag v{version}, and .github/workflows/release.yml does the rest")
    return files


def _wheel(options: Options, version: str) -> None:
    """Build the wheel, unpack it, and start its program."""
    file = build.wheel(options.to, options.root)
    if f"-{version}-" not in file.name:
        raise Failure(f"{file.name} does not have the version {version}")
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        command = [sys.executable, "-m", "esp32_ws_server", "image", "--help"]
        paths = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run(
            command, cwd=folder, env=paths, encoding="utf-8", errors="replace", capture_output=True
        )
        if done.returncode or "esp32-ws image" not in done.stdout:
            raise Failure(f"the program in the wheel does not start: {done.stderr.strip()}")


def _mip(options: Options, version: str) -> None:
    """Write the packages for mip, with addresses below the release's base."""
    if not options.base:
        warn("no packages for mip: BASE=https://... says where they will be published")
        return
    package.publish(options.base, options.to / "mip", options.root, say=lambda line: None)


def _update(options: Options, version: str) -> None:
    """Write the file that the settings page installs."""
    target = options.to / f"esp32-ws-{version}.tar"
    updatefile.make(updatefile.Options(to=target, root=options.root), say=lambda line: None)


def _romfs(options: Options) -> None:
    for arch in _BOARD_CPUS:
        romfs.make(arch, options.to / f"{arch}.romfs", options.root, say=lambda line: None)


def _images(options: Options) -> None:
    """Build an image for every board; one without an image of MicroPython is left out.

    A virtual board is started from the first image. Raises Failure if one is not right.
    """
    booted = False
    missing: dict[str, Failure] = {}
    for board in table.load():
        try:
            folder = options.firmware
            stock = download.kept(board, folder) if folder else download.newest(board)
        except Failure as failure:
            missing[board.key] = failure
            continue
        target = options.to / f"{board.key}.bin"
        made = imaging.Options(
            chip=board.key, firmware=stock, to=target, boot=not booted, root=options.root
        )
        imaging.make(made)
        booted = True
    if missing:
        reason = next(iter(missing.values()))
        warn(f"no images for {', '.join(missing)}. The first reason: {reason}")
