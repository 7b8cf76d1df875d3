"""Check the modules of an application on this computer, before a board runs them."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from tools import ROOT
from tools.failure import Failure, warn

from . import mistakes
from .application import FOLDER, Application, parsed
from .files import APPLICATION, PAGES, firmware
from .mpycross import CompilerError, compile_file, compiler

# What MicroPython's images for ESP32 boards contain, built in or frozen. Many of these modules
# also have their old name, with a "u" before it.
_BUILT_IN = (
    "_asyncio _boot _espnow _onewire _thread aioespnow apa106 array asyncio binascii bluetooth "
    "btree builtins cmath collections cryptolib deflate dht ds18x20 errno esp esp32 espnow "
    "flashbdev framebuf gc hashlib heapq inisetup io json machine marshal math micropython mip "
    "neopixel network ntptime onewire os platform random re requests select socket ssl struct sys "
    "time tls uctypes umqtt upysh vfs webrepl webrepl_setup websocket"
)
_MICROPYTHON = frozenset(_BUILT_IN.split())
# The CPUs to compile for: assembly is for one of them, all other code for both.
_ASSEMBLY = {"@micropython.asm_rv32": "rv32imc"}
_USUAL = "xtensawin"
_CATCHES = ("ImportError", "Exception")


def check(application: Application, root: Path = ROOT) -> None:
    """Compile the modules of an application, and warn about mistakes in them.

    Raises Failure, with file and line, if a module does not compile.
    """
    modules = {
        path: file
        for path, file in application.files.items()
        if path.endswith(".py") and not path.startswith(f"{FOLDER}{PAGES}/")
    }
    _compile(modules.values())
    known = _names(modules) | _names(firmware(root))
    trees = [parsed(file) for file in modules.values()]
    for path, file in modules.items():
        _warn(file, _dotted(path), known, others=trees)


def check_main(file: Path, root: Path = ROOT) -> None:
    """Check a program that is main.py on a board, as `check` does."""
    _compile([file])
    _warn(file, "main", _names(firmware(root)), is_main=True)


def _warn(
    file: Path,
    module: str,
    known: set[str],
    is_main: bool = False,
    others: Iterable[ast.Module] = (),
) -> None:
    """Warn about imports of modules that are not known, and about mistakes."""
    for line, name in _imports(file, module):
        if not _is_known(name, known):
            warn(f"{file}:{line}: {_remedy(name, known)}")
    for line, text in mistakes.find(parsed(file), is_main, others):
        warn(f"{file}:{line}: {text}")


def _compile(files) -> None:
    """Compile files as for a chip. Without a compiler, the board reports errors."""
    try:
        compiler()
    except CompilerError:
        return
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        for file in files:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(f"{file} cannot be read as UTF-8 text: {error}") from None
            arch = next((_ASSEMBLY[sign] for sign in _ASSEMBLY if sign in text), _USUAL)
            try:
                compile_file(file, Path(folder, "module.mpy"), f"-march={arch}")
            except CompilerError as error:
                raise Failure(_explained(error, file, text)) from None


def _explained(error: CompilerError, file: Path, text: str) -> str:
    """Return the error of mpy-cross, in CPython's words if it refuses the file, too."""
    try:
        ast.parse(text)
    except SyntaxError as ours:
        return f"{file}:{ours.lineno}: {ours.msg}"
    except ValueError:
        pass
    return f"{error} (valid in Python, but not in MicroPython)"


def _dotted(path: str) -> str:
    """Return the name of a module of the application: "app.pumps.water"."""
    return path.lstrip("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _names(files: dict[str, Path]) -> set[str]:
    """Return the names by which modules can be imported, those of packages included."""
    found: set[str] = set()
    for path in files:
        folder, _, rest = path.lstrip("/").partition("/")
        if folder not in ("lib", APPLICATION) or not path.endswith(".py"):
            continue
        parts = rest.removesuffix(".py").removesuffix("/__init__").split("/")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            found.update([name, f"{APPLICATION}.{name}"] if folder == APPLICATION else [name])
    return found | {APPLICATION}


def _is_known(name: str, known: set[str]) -> bool:
    top = name.partition(".")[0]
    builtin = top in _MICROPYTHON or (top[:1] == "u" and top[1:] in _MICROPYTHON)
    return name in known or (builtin and top not in known)


def _remedy(name: str, known: set[str]) -> str:
    """Return what is wrong with an import, and what to do."""
    text = f"no module {name!r} in the application, the firmware or MicroPython"
    close = get_close_matches(name, sorted(known | _MICROPYTHON), 1, 0.8)
    if close:
        return f"{text}; did you mean {close[0]!r}?"
    return f"{text}: add it to the application, or install it on the board with `mpremote mip`"


def _imports(file: Path, module: str) -> Iterator[tuple[int, str]]:
    """Yield (line, full name) of each import of a module, except those that may fail."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _certain(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            yield node.lineno, ".".join([*parts, node.module] if node.level else [node.module])


def _certain(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those of a `try` that expects an import to fail."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Try) and any(map(_expects_failure, child.handlers)):
            for part in (*child.handlers, *child.orelse, *child.finalbody):
                yield from _certain(part)
        else:
            yield child
            yield from _certain(child)


def _expects_failure(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(name in caught for name in _CATCHES)
