"""Fill a board's flash with the files that a real board gets, and with nothing else."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools.deploy import files as flashfiles
from tools.deploy import webpages
from tools.deploy.mpycross import NATIVE, CompilerError, compiler
from tools.settings import parse

from .interpreter import compile_text, native_arch


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
    try:
        return bool(compiler() and native_arch())
    except CompilerError:
        return False


def fill(flash: Path, root: Path, source: bool = False, native: bool = True) -> None:
    """Copy the firmware from `root` to `flash`; lib/ as .mpy where this machine can compile it.

    source: leave lib/ as it is. native=False: compile it as for a CPU without native code.
    """
    for name in flashfiles.FOLDERS:
        if (root / name).exists():
            shutil.rmtree(flash / name, ignore_errors=True)
    arch = native_arch() if can_compile() and not source else None
    unfold(flash, _firmware(root, arch, native, _stamp(root)))


@lru_cache(maxsize=8)
def _firmware(
    root: Path, arch: str | None, native: bool, stamp: tuple[Any, ...]
) -> dict[str, bytes]:
    """Return the firmware's files as a board has them, {path on the board: content}.

    arch: of the native code, or None to leave lib/ as it is. stamp: tells whether what an earlier
    call returned is still right.
    """
    found = flashfiles.firmware(root)
    files = webpages.pack({name: path.read_bytes() for name, path in found.items()})
    return compiled(files, "lib", native) if arch else files


def _stamp(root: Path) -> tuple[Any, ...]:
    """Return what changes when a file of the firmware does: names, times and sizes."""
    found: list[tuple[Any, ...]] = []
    for folder in flashfiles.FOLDERS:
        for path, _, names in os.walk(root / folder):
            for name in names:
                state = os.stat(os.path.join(path, name))
                found.append((path, name, state.st_ino, state.st_mtime_ns, state.st_size))
    for name in flashfiles.PROGRAMS:
        if (root / name).exists():
            state = os.stat(root / name)
            found.append((name, state.st_ino, state.st_mtime_ns, state.st_size))
    return tuple(found)


def put_application(
    flash: Path, files: dict[str, Path], source: bool = False, native: bool = True
) -> None:
    """Replace the application on the flash by these files, {path on the board: file here}."""
    shutil.rmtree(flash / flashfiles.APPLICATION, ignore_errors=True)
    contents = webpages.pack({name: path.read_bytes() for name, path in files.items()})
    if not source and can_compile():
        contents = compiled(contents, flashfiles.APPLICATION, native)
    put(flash, contents)


def unfold(flash: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, {path on the board: content}."""
    flash.mkdir(parents=True, exist_ok=True)
    base, made = str(flash), {""}
    for name, content in files.items():
        name = name.lstrip("/")
        folder = name.rpartition("/")[0]
        if folder not in made:  # with strings: this runs for 150 files of each board
            os.makedirs(f"{base}/{folder}", exist_ok=True)
            made.add(folder)
        with open(f"{base}/{name}", "wb", 0) as file:
            file.write(content)


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


def compiled(files: dict[str, bytes], folder: str, native: bool = True) -> dict[str, bytes]:
    """Return files with every module in a folder as .mpy, which takes less of the heap to load.

    One that does not compile stays as it is: the board says what is wrong with it. native=False:
    all is bytecode, which every CPU runs, and the module of native code goes: its portable twin
    takes its place.
    """
    found = {}
    for name, content in files.items():
        parts = name.strip("/").split("/")
        if name.endswith(".py") and parts[0] == folder and parts[1] != flashfiles.PAGES:
            if not native and parts[-1] == NATIVE:
                continue
            target = name[: -len(".py")] + ".mpy"
            with contextlib.suppress(CompilerError):
                name, content = target, compile_text(content, target, native)
        found[name] = content
    return found


def put(flash: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, by their paths on the board. A lib/x.py replaces a compiled one."""
    for name, content in files.items():
        path = flash / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if path.suffix == ".py":
            path.with_suffix(".mpy").unlink(missing_ok=True)


def put_config(
    flash: Path, config: dict | Path | None, ports: tuple[int, int] | None = None
) -> dict[int, str]:
    """Put a config.json onto the flash; returns the ports that it makes the board listen on, by
    what for.

    A file is copied byte for byte, broken or not: the board has to cope with it. ports: those of
    HTTP and HTTPS that replace the ones in a valid config.json.
    """
    if isinstance(config, dict):
        (flash / "config.json").write_text(json.dumps(config), encoding="utf-8")
    elif config is not None:
        shutil.copyfile(config, flash / "config.json")
    if ports:
        _set_ports(flash / "config.json", *ports)
    try:
        settings = parse((flash / "config.json").read_bytes())
        http = settings.get("server", {}).get("port", 80)
        https = settings.get("tls", {}).get("port", 443)
    except (OSError, ValueError, AttributeError, RecursionError):
        http, https = 80, 443
    served = {443: "https", 80: "http"}
    served.update(
        {port: what for port, what in ((https, "https"), (http, "http")) if isinstance(port, int)}
    )
    return served


def _set_ports(path: Path, http: int, https: int) -> None:
    """Set the ports in a config.json. What the board would refuse stays unchanged."""
    try:
        settings = parse(path.read_bytes()) if path.exists() else {}
        for section, port in (("server", http), ("tls", https)):
            values = settings.setdefault(section, {})
            if type(values.get("port", port)) is int and 0 < values.get("port", port) < 65536:
                values["port"] = port
    except (OSError, ValueError, AttributeError, RecursionError):
        return
    path.write_text(json.dumps(settings), encoding="utf-8")
