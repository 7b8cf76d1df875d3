"""`make build`: one file with a version of the firmware, which the settings page installs.

It is an uncompressed tar (ustar): manifest.json, the files of all CPUs below all/, those with
native code below the name of their CPU, and SHA256SUMS. docs/install.md describes it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools import HOME, ROOT, output
from tools.board import table
from tools.board.target import Target
from tools.failure import Failure

from . import application, modules
from .build import build
from .files import firmware
from .mpycross import ARCHITECTURES, CompilerError, format_version

FOLDER = HOME / "build" / "update"
FORMAT = 1
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
_ALL = "all"  # the folder of files that do not depend on the CPU
_CHIPS = ("xtensawin", "rv32imc")  # what boards have; the other CPUs are virtual boards'
_SECRET = re.compile(r"(^|/)(config|secrets)\.json$|\.key(\.\w+)?$|\.pem$")
_LAYOUT = re.compile(r"^_LAYOUT = const\((\d+)\)", re.M)
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.M)


@dataclass(frozen=True)
class Options:
    """What goes into an update file.

    chips: CHIP=, rows or chips of boards.toml, or mpy-cross's names of CPUs; () for all boards.
    app: an application, a Path; "demo" removes the one on the board, and None keeps it. to: the
    file to write.
    """

    chips: tuple[str, ...] = ()
    app: Path | None = None
    to: Path | None = None
    root: Path = ROOT


def make(options: Options, say: Callable[[str], None] = print) -> Path:
    """Write the update file and return its path. Raises Failure."""
    root = options.root
    archs = _architectures(options.chips)
    app = application.find(options.app, root) if options.app else None
    if app:
        modules.check(app, root)
    for path in app.files if app else {}:
        if _SECRET.search(path):
            raise Failure(
                f"{path} may hold a secret, and update files must not: move it out of "
                f"{options.app}"
            )
    files = {**firmware(root), **(app.files if app else {})}
    built = {arch: build(files, target_for(arch), False, _stop) for arch in archs}
    about = {
        "format": FORMAT,
        "version": _find(_VERSION, root / "lib" / "wsserver" / "__init__.py"),
        "layout": int(_find(_LAYOUT, root / "lib" / "admin" / "update.py")),
        "mpy": "%d.%d" % format_version(),
        "archs": list(archs),
        "app": options.app.stem if app and options.app else None,
        # An application that was copied by hand would be in the way.
        "remove": sorted(application.ON_BOARD) if app else [],
    }
    data = pack(about, built)
    target = options.to or FOLDER / _name(about)
    output.write(target, data)
    say(f"{target}: {len(data) >> 10} KB, version {about['version']} for {', '.join(archs)}")
    say("install it: the board's settings page, Maintenance, Update the firmware")
    return target


def pack(about: dict, built: dict[str, dict[str, bytes]]) -> bytes:
    """Return the file. built: {CPU: {path on the board: content}}.

    Raises Failure if a path is too long for a tar.
    """
    members: dict[str, bytes] = {}
    listed = []
    for arch, path in _entries(built):
        content = built[arch or next(iter(built))][path]
        members[(arch or _ALL) + path] = content
        digest = hashlib.sha256(content).hexdigest()
        listed.append({"path": path, "arch": arch, "size": len(content), "sha256": digest})
    manifest = json.dumps({**about, "files": listed}, indent=1).encode() + b"\n"
    members = {MANIFEST: manifest, **members}
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items()
    )
    return _tar({**members, SUMS: sums.encode()})


def _entries(built: dict[str, dict[str, bytes]]) -> Iterable[tuple[str, str]]:
    """Yield (CPU, path) for each file; CPU is "" if the file is the same for all."""
    for path in sorted({path for files in built.values() for path in files}):
        contents = [files.get(path) for files in built.values()]
        if all(content == contents[0] for content in contents):
            yield "", path
        else:
            yield from ((arch, path) for arch, files in built.items() if path in files)


def _tar(members: dict[str, bytes]) -> bytes:
    """Return a tar with the same bytes for the same members."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            try:
                archive.addfile(member, io.BytesIO(content))
            except ValueError as error:
                raise Failure(f"{PurePosixPath(name).name}: {error}: use a shorter path") from None
    return written.getvalue()


def _name(about: dict) -> str:
    parts = ["esp32-ws", about["version"], about["app"]]
    if about["archs"] != list(_CHIPS):
        parts += about["archs"]
    return "-".join(part for part in parts if part) + ".tar"


def _architectures(chips: tuple[str, ...]) -> tuple[str, ...]:
    """Return the CPUs of these chips, each once; of all boards without any."""
    try:
        found = [
            chip if chip in ARCHITECTURES else table.find(chip, table.load()).arch
            for chip in chips
        ]
    except Failure as error:
        raise Failure(f"{error}, or a CPU: {', '.join(ARCHITECTURES)}") from None
    return tuple(dict.fromkeys(found)) or _CHIPS


def target_for(arch: str) -> Target:
    """Return a board with this CPU, and a MicroPython that loads what mpy-cross makes."""
    try:
        return Target("", "", "", format_version(), arch, "", 0, False, 0)
    except CompilerError as error:
        _stop(str(error))
        raise


def _stop(problem: str) -> None:
    raise Failure(f"{problem}: an update file has compiled files only")


def _find(pattern: re.Pattern[str], file: Path) -> str:
    found = pattern.search(file.read_text(encoding="utf-8"))
    if not found:
        raise Failure(f"{file} has no line for {pattern.pattern}")
    return found[1]
