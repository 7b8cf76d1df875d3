"""Type checks (mypy): the host side against Python, the board's code against what a chip has.

For the board's code mypy gets a standard library of its own, made from the published stubs of the
ESP32 port, corrected where they promise more than the chip keeps, or less.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from .project import ROOT, LintError, board_files, run

_STUBS = ("micropython-stdlib-stubs", "micropython-esp32-stubs")

# Names in the stubs that the chip lacks, by module; "socket.shutdown" is a method. Measured on the
# chip (shared/esp32-facts.md).
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

# What the stubs have wrong or too narrow: in a file, this text is to be that.
_CORRECTED = {
    # deque(iterable, maxlen, flags): the flag 1 makes a full one raise IndexError.
    "collections/__init__.pyi": (
        "def __init__(self, iterable: Iterable[_T], maxlen: int | None=None) -> None:",
        "def __init__(self, iterable: Iterable[_T], maxlen: int=0, flags: int=0) -> None:",
    ),
    # status("stations") is a list of tuples.
    "network.pyi": (
        "def status(self, param: str, /) -> int:",
        "def status(self, param: str, /) -> Incomplete:",
    ),
    # The stubs of TLS contexts have no attributes.
    "tls.pyi": ("class SSLContext:", "class SSLContext:\n    verify_mode: int"),
    # Ticks are ints; a type of their own would only be one more name to import.
    "_mpy_shed/time_mp.pyi": ("class _TicksMs:", "_TicksMs = int\n\nclass _TicksMsInTheStubs:"),
}

_SETTINGS = """
[mypy]
python_version = 3.10
plugins = {plugin}
custom_typeshed_dir = {typeshed}
mypy_path = {root}/lib
cache_dir = {root}/.mypy_cache/board
explicit_package_bases = true
namespace_packages = true
check_untyped_defs = true
warn_unused_ignores = true
# Left to the reader: None as "not yet" (the library checks its own state), a name that stands for
# one type and later another, and conditional definitions. What matters is what a chip's modules
# have and how they are called.
allow_redefinition = true
strict_optional = false
disable_error_code = var-annotated, assignment, misc
"""


def check_host_types(root: Path = ROOT) -> None:
    """LintError: mypy found an error in tools/."""
    run("mypy", "--no-error-summary", "--hide-error-context", root=root)


def check_board_types(root: Path = ROOT) -> None:
    """LintError: the board's code uses what the chip does not have, or not the way it has it."""
    files = [str(path) for path in board_files(root)]
    with tempfile.TemporaryDirectory(prefix="typeshed-") as folder:
        make_typeshed(Path(folder, "typeshed"))
        settings = Path(folder, "mypy.ini")
        plugin = Path(__file__).with_name("plugin.py")
        settings.write_text(
            _SETTINGS.format(root=root, typeshed=Path(folder, "typeshed"), plugin=plugin)
        )
        options = ("--config-file", str(settings), "--no-error-summary", "--hide-error-context")
        run("mypy", *options, *files, root=root)


def make_typeshed(folder: Path) -> None:
    """Make the chip's standard library, as stubs, in `folder`: mypy's custom_typeshed_dir."""
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
    for name, (text, correction) in _CORRECTED.items():
        _correct(modules / name, text, correction)


def _located(package: str) -> Path:
    return Path(str(distribution(package).locate_file("")))


def _stub_files(package: str) -> Iterator[str]:
    """The stubs that a package has beside the standard library's: of the chip's own modules."""
    for file in distribution(package).files or ():
        if file.suffix == ".pyi" and file.parts[0] not in ("stdlib", "stubs"):
            yield str(file)


def _stub(modules: Path, module: str) -> Path:
    file = modules / f"{module}.pyi"
    return file if file.exists() else modules / module / "__init__.pyi"


def _list_versions(modules: Path) -> None:
    """Have every stub that is there, and nothing else, count as part of the standard library."""
    names = sorted(
        {path.stem for path in modules.iterdir() if path.suffix == ".pyi" or path.is_dir()}
    )
    (modules / "VERSIONS").write_text("".join(f"{name}: 3.0-\n" for name in names))


def _remove(stub: Path, names: set[str]) -> None:
    """Take names, and methods named as "class.method", out of a stub."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    tree.body = list(_kept(tree.body, names, ""))
    stub.write_text(ast.unparse(tree), encoding="utf-8")


def _kept(body: list[ast.stmt], names: set[str], prefix: str) -> Iterator[ast.stmt]:
    """The statements of a module or class without `names`; also in classes and conditions."""
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
        raise LintError(
            f"{stub.name} of the stubs changed: see _CORRECTED in tools/lint/types.py: {text}"
        )
    stub.write_text(source.replace(text, correction), encoding="utf-8")
