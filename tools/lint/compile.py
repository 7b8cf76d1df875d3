"""Compiles everything that lands on a board with mpy-cross, for every chip."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools.mpycross import ARCHITECTURES, NATIVE, CompilerError, compile_file, compiler

from .project import ROOT, LintError, board_files


def check_compiles(root: Path = ROOT) -> None:
    """LintError: a file does not compile for some chip, or has native code it should not."""
    found = []
    try:
        compiler()
    except CompilerError as error:
        raise LintError(f"{error}: nothing was compiled") from None
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
                except CompilerError as error:
                    found.append(f"{str(error).replace(str(source), str(name), 1)} ({meaning})")
    if found:
        raise LintError("\n".join(found))
