"""Generate packages for mip, the package installer of MicroPython and mpremote.

package.json in the repository has relative addresses: mpremote 1.25 and later install it from a
copy of the repository. Older ones, and mip on a board, need absolute addresses: `publish` makes
such packages, one of source files and one of .mpy files for each kind of CPU.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tools import HOME, ROOT
from tools.failure import Failure

from . import files
from .mpycross import ARCHITECTURES, CompilerError, compile_file

# What is usable without the rest of the firmware: the server, and TLS contexts from files.
PACKAGES = ("wsserver", "certificates")
FOLDER = HOME / "build" / "mip"
SCHEMES = ("https://", "http://", "github:", "gitlab:")


def text(root: Path = ROOT) -> str:
    """Return package.json for the library in `root`."""
    names = [path.relative_to(root / "lib").as_posix() for path in _modules(root)]
    return _format({name: f"lib/{name}" for name in names}, files.version(root))


def publish(
    base: str, folder: Path = FOLDER, root: Path = ROOT, say: Callable[[str], None] = print
) -> None:
    """Write packages with absolute addresses, and the files they name, to `folder`.

    base: the address at which the content of `folder` will be found, such as
    github:owner/repository/mip@v1 or https://host/mip. A branch or tag of GitHub follows "@".

    Raises Failure if `base` is no such address, or a file does not compile.
    """
    if not base.startswith(SCHEMES):
        raise Failure(f"BASE={base!r} must begin with one of {', '.join(SCHEMES)}")
    base, _, reference = base.partition("@")
    version = files.version(root)
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("source", *ARCHITECTURES):
        urls = {}
        for path in _modules(root):
            name = path.relative_to(root / "lib")
            target = name if kind == "source" else name.with_suffix(".mpy")
            _write(path, folder / kind / target, kind, str(name))
            urls[target.as_posix()] = f"{base.rstrip('/')}/{kind}/{target.as_posix()}"
        (folder / f"{kind}.json").write_text(_format(urls, version), encoding="utf-8")
    suffix = f"@{reference}" if reference else ""
    say(f"{folder} has packages for {', '.join(('source', *ARCHITECTURES))}")
    say(f"when it is published: mip install {base.rstrip('/')}/xtensawin.json{suffix}")


def _write(path: Path, target: Path, kind: str, name: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "source":
        shutil.copyfile(path, target)
        return
    try:
        compile_file(path, target, f"-march={kind}", "-s", name)
    except CompilerError as error:
        raise Failure(str(error)) from error


def _format(urls: dict[str, str], version: str) -> str:
    lines = ",\n".join(f"    {json.dumps(list(pair))}" for pair in sorted(urls.items()))
    return f'{{\n  "urls": [\n{lines}\n  ],\n  "deps": [],\n  "version": "{version}"\n}}\n'


def _modules(root: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / "lib" / package).rglob("*.py"))
