"""Compile all board code with mpy-cross, for every chip."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tools import ROOT
from tools.deploy.mpycross import ARCHITECTURES, NATIVE, CompilerError, compile_file, compiler

from .project import board_files

_ONLY = f"bytecode only; native code belongs into {NATIVE}"
# A native method may also run as bytecode.
_FUNCTION = re.compile(r"^@micropython\.(native|viper|asm_\w+)", re.MULTILINE)


def check_compiles(root: Path = ROOT) -> list[str]:
    """Return the files that do not compile for a chip, or that may not contain native code."""
    findings = []
    try:
        compiler()
    except CompilerError as error:
        return [f"{error}: nothing was compiled"]
    with tempfile.TemporaryDirectory(prefix="mpy-") as folder:
        target = Path(folder, "module.mpy")
        for source in board_files(root):
            name = source.relative_to(root)
            targets = [
                (f"-march={cpu}", f"{cpu}: {chips}") for cpu, chips in ARCHITECTURES.items()
            ]
            if name.name != NATIVE:
                targets.append(("-O0", _ONLY))
                found = _FUNCTION.search(source.read_text(encoding="utf-8"))
                findings += [f"{name}: {found[0]} ({_ONLY})"] if found else []
            for option, meaning in targets:
                try:
                    compile_file(source, target, option, "-s", str(name))
                except CompilerError as error:
                    findings.append(f"{str(error).replace(str(source), str(name), 1)} ({meaning})")
    return findings
