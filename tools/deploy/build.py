"""Prepare the files for a board: compile modules, pack pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.board.target import Target
from tools.failure import Failure

from .mpycross import (
    ARCHITECTURES,
    NATIVE,
    CompilerError,
    compile_file,
    compiler_for,
    format_version,
    has_native_code,
)
from .webpages import FOLDERS, pack


def build(
    files: dict[str, Path], target: Target, source: bool, warn: Callable[[str], None]
) -> dict[str, bytes]:
    """Return {path on the board: content} for `files`, {path on the board: file here}.

    source: do not compile lib/ and the application. They are not compiled either, after a
    warning, if no compiler fits the board.

    Raises Failure if a file cannot be read or does not compile.
    """
    compiler = None if source else _compiler(target, warn)
    try:
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
            scratch = Path(folder, "module.mpy")
            content = dict(
                _compiled(path, file, target.arch, scratch, compiler)
                if compiler and _is_module(path)
                else (path, file.read_bytes())
                for path, file in files.items()
            )
            return pack(content)
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}") from None
    except CompilerError as error:
        raise Failure(f"{error}; nothing was copied") from None


def _compiler(target: Target, warn: Callable[[str], None]) -> str | None:
    """Return the compiler for a board, or None after a warning."""
    try:
        found = compiler_for(target.mpy_version)
        problem = (
            f"the board's MicroPython {target.version} loads .mpy files of version "
            f"{'%d.%d' % target.mpy_version}, and mpy-cross makes {'%d.%d' % format_version()}"
        )
    except CompilerError as error:
        found, problem = None, str(error)
    if not found:
        warn(f"{problem}: lib/ is deployed as source, which takes the board more memory")
    return found


def _is_module(path: str) -> bool:
    """Return whether a file is compiled: boot.py, main.py and pages are not."""
    folders = path.startswith(("/lib/", "/app/")) and not path.startswith(FOLDERS)
    return folders and path.endswith(".py")


def _compiled(path: str, file: Path, arch: str, scratch: Path, compiler: str) -> tuple[str, bytes]:
    # The name in tracebacks: the file's own, which the board stores as a name (qstr) anyway.
    compiled = path[: -len(".py")] + ".mpy"
    native = file.name == NATIVE
    if native and arch not in ARCHITECTURES:
        return path, file.read_bytes()  # the board uses portable.py instead
    native = native or has_native_code(file.read_text(encoding="utf-8"))
    options = [f"-march={arch}"] if native and arch in ARCHITECTURES else []
    compile_file(file, scratch, *options, "-s", compiled, executable=compiler)
    return compiled, scratch.read_bytes()
