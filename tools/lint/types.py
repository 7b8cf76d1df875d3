"""Type checks (mypy) of the board's code against the modules of a chip.

mypy gets a standard library of its own, made from the published stubs of the ESP32 port and
corrected where they differ from the chip.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from tools import ROOT
from tools.failure import Failure

from .project import board_files, run

_STUBS = ("micropython-stdlib-stubs", "micropython-esp32-stubs")

# Names in the stubs that the chip lacks, by module; "socket.shutdown" is a method. Measured on the
# chip.
_MISSING = {
    "socket": "AF_UNIX MSG_PEEK SO_KEEPALIVE SO_LINGER SO_ERROR inet_pton inet_ntop sockaddr "
    "socket.getsockopt socket.getpeername socket.getsockname socket.shutdown socket.recv_into",
    "sys": "atexit exc_info",
    "os": "getenv getenvb putenv unsetenv environ system popen walk scandir",
    "micropython": "mem_current mem_peak mem_total",
}

# Methods that CPython's built-in types have and MicroPython's lack: dir() of both compared.
_BYTES = (
    "capitalize expandtabs isalnum isascii istitle ljust maketrans removeprefix removesuffix "
    "rjust swapcase title translate zfill "
)
_MISSING_METHODS = {
    "str": _BYTES + "casefold format_map isdecimal isidentifier isnumeric isprintable",
    "bytes": _BYTES,
    "bytearray": _BYTES + "clear copy pop remove reverse",
    "int": "as_integer_ratio bit_count bit_length conjugate numerator denominator",
    "float": "as_integer_ratio conjugate fromhex hex is_integer",
    "memoryview": "cast nbytes release tobytes tolist toreadonly",
}

# What is wrong or too narrow in the stubs: (file, text, correction).
_CORRECTED = (
    # `self.name: Anything = None` declares an attribute whose type is only known later. The board
    # has no `typing`, and mypy finds no alias of Any among the built-in names.
    ("builtins.pyi", "class object:", "class Anything(Any):\n    pass\n\nclass object:"),
    # A memoryview of a str shows its UTF-8.
    (
        "builtins.pyi",
        "def __new__(cls, obj: ReadableBuffer) -> Self:",
        "def __new__(cls, obj: ReadableBuffer | str) -> Self:",
    ),
    # deque(iterable, maxlen, flags): the flag 1 makes a full one raise IndexError.
    (
        "collections/__init__.pyi",
        "def __init__(self, iterable: Iterable[_T], maxlen: int | None=None) -> None:",
        "def __init__(self, iterable: Iterable[_T], maxlen: int=0, flags: int=0) -> None:",
    ),
    # status("stations") is a list of tuples.
    (
        "network.pyi",
        "def status(self, param: str, /) -> int:",
        "def status(self, param: str, /) -> Incomplete:",
    ),
    # The stubs of TLS contexts have no attributes.
    ("tls.pyi", "class SSLContext:", "class SSLContext:\n    verify_mode: int"),
    # Viper code takes pointers (ptr8) for anything that has a buffer.
    (
        "micropython.pyi",
        "def viper(_func: Callable[_Param, _Ret], /) -> Callable[_Param, _Ret]:",
        "def viper(_func: Callable[_Param, _Ret], /) -> Callable[..., _Ret]:",
    ),
    # Ticks are ints; a separate type would only be one more name to import.
    (
        "_mpy_shed/time_mp.pyi",
        "class _TicksMs:",
        "_TicksMs = int\n\nclass _TicksMsInTheStubs:",
    ),
)

_SETTINGS = """
[mypy]
python_version = 3.10
custom_typeshed_dir = {typeshed}
mypy_path = {root}/lib
cache_dir = {root}/.mypy_cache/board
explicit_package_bases = true
namespace_packages = true
check_untyped_defs = true
warn_unused_ignores = true
# Allowed: None for "not yet", a name that changes its type, and conditional definitions. The check
# is about the names that a chip's modules have, and about calling them.
allow_redefinition = true
strict_optional = false
disable_error_code = var-annotated, assignment, misc
"""


def check_board_types(root: Path = ROOT) -> list[str]:
    """Return where the board's code uses names that a chip lacks, or calls them wrongly."""
    with tempfile.TemporaryDirectory(prefix="typeshed-") as folder:
        return run_mypy(_SETTINGS, root, Path(folder), root, *map(str, board_files(root)))


def run_mypy(settings: str, root: Path, scratch: Path, folder: Path, *files: str) -> list[str]:
    """Run mypy in `folder` with the chip's standard library, and return its findings.

    settings: of mypy, with {root} and {typeshed}. scratch: an empty folder.
    """
    make_typeshed(scratch / "typeshed")
    config = scratch / "mypy.ini"
    config.write_text(settings.format(root=root, typeshed=scratch / "typeshed"))
    options = f"--config-file {config} --no-error-summary --hide-error-context"
    return run(f"mypy {options}", folder, *files)


def make_typeshed(folder: Path) -> None:
    """Write the chip's standard library, as stubs, for mypy's custom_typeshed_dir."""
    modules = folder / "stdlib"
    shutil.copytree(Path(_located(_STUBS[0]), "stubs"), folder / "stubs")
    shutil.copytree(Path(_located(_STUBS[0]), "stdlib"), modules)
    for package in _STUBS:
        for name in _stub_files(package):
            target = modules / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(_located(package), name), target)
    _list_versions(modules)
    for module, names in _MISSING.items():
        _remove(_stub(modules, module), set(names.split()))
    for kind, names in _MISSING_METHODS.items():
        _remove(_stub(modules, "builtins"), {f"{kind}.{name}" for name in names.split()})
    for name, text, correction in _CORRECTED:
        _correct(modules / name, text, correction)


def _located(package: str) -> Path:
    return Path(str(distribution(package).locate_file("")))


def _stub_files(package: str) -> Iterator[str]:
    """Yield a package's stubs of the chip's own modules."""
    for file in distribution(package).files or ():
        if file.suffix == ".pyi" and file.parts[0] not in ("stdlib", "stubs"):
            yield str(file)


def _stub(modules: Path, module: str) -> Path:
    file = modules / f"{module}.pyi"
    return file if file.exists() else modules / module / "__init__.pyi"


def _list_versions(modules: Path) -> None:
    """List exactly the stubs that exist as parts of the standard library."""
    names = sorted(
        {path.stem for path in modules.iterdir() if path.suffix == ".pyi" or path.is_dir()}
    )
    (modules / "VERSIONS").write_text("".join(f"{name}: 3.0-\n" for name in names))


def _remove(stub: Path, names: set[str]) -> None:
    """Remove names, and methods as "class.method", from a stub."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    tree.body = list(_kept(tree.body, names, ""))
    stub.write_text(ast.unparse(tree), encoding="utf-8")


def _kept(body: list[ast.stmt], names: set[str], prefix: str) -> Iterator[ast.stmt]:
    """Yield the statements of a module or class without `names`, also in nested blocks."""
    for node in body:
        if prefix + _name(node) in names:
            continue
        if isinstance(node, ast.ClassDef):
            node.body = list(_kept(node.body, names, f"{node.name}.")) or [ast.Pass()]
        elif isinstance(node, ast.If):
            node.body = list(_kept(node.body, names, prefix)) or [ast.Pass()]
            node.orelse = list(_kept(node.orelse, names, prefix))
        yield node


def _name(node: ast.stmt) -> str:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name
    target = (
        node.target
        if isinstance(node, ast.AnnAssign)
        else node.targets[0]
        if isinstance(node, ast.Assign)
        else None
    )
    return target.id if isinstance(target, ast.Name) else ""


def _correct(stub: Path, text: str, correction: str) -> None:
    source = ast.unparse(
        ast.parse(stub.read_text(encoding="utf-8"))
    )  # so that layout does not matter
    if text not in source:
        raise Failure(
            f"{stub.name} of the stubs changed: see _CORRECTED in tools/lint/types.py: {text}"
        )
    stub.write_text(source.replace(text, correction), encoding="utf-8")
