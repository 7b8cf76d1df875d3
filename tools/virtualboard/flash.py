"""Fills a board's flash: what lands on a real board, and nothing else of the repository."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

from tools.deploy import files as flashfiles
from tools.deploy import webpages
from tools.deploy.mpycross import NATIVE

from .interpreter import CompileError, compile_mpy, find_mpy_cross, native_arch


def check_folder(flash: Path) -> None:
    """OSError: it is no folder, or holds what fill() must not replace."""
    if not flash.exists():
        return
    if not flash.is_dir():
        raise OSError(errno.ENOTDIR, f"{flash} is not a folder: give --flash a new one")
    names = {path.name for path in flash.iterdir()}
    if names and ("boot.py" not in names or ".git" in names):
        raise OSError(
            errno.ENOTEMPTY,
            f"{flash} holds something else than a board's files: give --flash a new folder",
        )


def can_compile() -> bool:
    """Return whether this machine can compile for the virtual board. If not, lib/ stays source."""
    return bool(find_mpy_cross() and native_arch())


def fill(flash: Path, root: Path, source: bool = False, native: bool = True) -> None:
    """Copy the firmware from `root` to `flash`; lib/ as .mpy where this machine can compile it.

    source: leave lib/ as it is. native=False: compile it as for a CPU without native code.
    """
    flash.mkdir(parents=True, exist_ok=True)
    for name in flashfiles.FOLDERS:
        if (root / name).exists():
            shutil.rmtree(flash / name, ignore_errors=True)
    files = {name: path.read_bytes() for name, path in flashfiles.firmware(root).items()}
    for name, content in webpages.pack(files).items():
        target = flash / name[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if not source and can_compile():
        compile_folder(flash, "lib", native)


def put_application(
    flash: Path, files: dict[str, Path], source: bool = False, native: bool = True
) -> None:
    """Replace the application on the flash by these files, {path on the board: file here}."""
    shutil.rmtree(flash / flashfiles.APPLICATION, ignore_errors=True)
    contents = {name: path.read_bytes() for name, path in files.items()}
    put(flash, dict(webpages.pack(contents)))
    if not source and can_compile():
        compile_folder(flash, flashfiles.APPLICATION, native)


def unfold(flash: Path, files: dict[str, bytes]) -> None:
    """Write the files of an image into a folder."""
    for name, content in files.items():
        path = flash / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def gather(flash: Path) -> dict[str, bytes]:
    """Return all files of a folder, {path on the board: content}."""
    return {
        f"/{path.relative_to(flash).as_posix()}": path.read_bytes()
        for path in sorted(flash.rglob("*"))
        if path.is_file()
    }


def put_certificates(flash: Path, folder: Path) -> None:
    """Copy what `make certs` has made for boards."""
    for name, path in flashfiles.certificates(folder).items():
        (flash / "certs").mkdir(exist_ok=True)
        shutil.copyfile(path, flash / name[1:])


def compile_folder(flash: Path, folder: str, native: bool = True) -> None:
    """Replace every module in a folder by its .mpy, which takes less of the heap to load.

    One that does not compile stays as it is: the board says what is wrong with it. native=False:
    all is bytecode, which every CPU runs, and the module of native code goes: its portable twin
    takes its place.
    """
    if not native:
        for path in (flash / folder).rglob(NATIVE):
            path.unlink()
    for path in sorted((flash / folder).rglob("*.py")):
        if path.relative_to(flash / folder).parts[0] == flashfiles.PAGES:
            continue
        target = path.with_suffix(".mpy")
        try:
            compile_mpy(path, target, "/" + target.relative_to(flash).as_posix(), native)
        except CompileError:
            continue
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
    except (OSError, ValueError, AttributeError, RecursionError):
        http, https = 80, 443
    ports = {443: "https", 80: "http"}
    ports.update(
        {port: what for port, what in ((https, "https"), (http, "http")) if isinstance(port, int)}
    )
    return ports
