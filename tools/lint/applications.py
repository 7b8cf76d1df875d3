"""Type checks (mypy) of applications against the stubs in typings/.

An application need not name types: the arguments of setup() and of on_... methods get theirs here,
in a copy.
"""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

from tools import ROOT

from .types import run_mypy

# The types of arguments, by position, without self.
_CLIENT = "wsserver.Client"
_ARGUMENTS = {
    "setup": ("application.Board",),
    "on_open": (_CLIENT,),
    "on_message": (_CLIENT,),
    "on_chunk": (_CLIENT, "memoryview", "bool"),
    "on_close": (_CLIENT, "int", "str"),
    "on_ping": (_CLIENT, "bytes"),
    "on_pong": (_CLIENT, "bytes"),
    "on_drain": (_CLIENT,),
    "on_request": ("wsserver.Request",),
}
_IMPORTS = "import application, wsserver; "  # before the first statement, on its line
_SETTINGS = """
[mypy]
python_version = 3.10
custom_typeshed_dir = {typeshed}
mypy_path = {root}/typings
cache_dir = {root}/.mypy_cache/applications
check_untyped_defs = true
disable_error_code = var-annotated
"""


def examples(root: Path = ROOT) -> list[Path]:
    """Return the applications in the project."""
    return sorted((root / "examples").glob("*.py"))


def check_applications(files: list[Path], root: Path = ROOT) -> list[str]:
    """Return where applications use `board`, `server`, `client` or a chip's modules wrongly."""
    findings: list[str] = []
    if not files:
        return findings
    with tempfile.TemporaryDirectory(prefix="applications-") as folder:
        names = {}
        for file in files:
            copy = Path(folder, file.name)
            copy.write_text(annotated(file.read_text(encoding="utf-8")), encoding="utf-8")
            names[str(copy)] = str(file)
        for line in run_mypy(_SETTINGS, root, Path(folder), Path(folder), *names):
            name, _, rest = line.partition(":")
            findings.append(f"{names.get(str(Path(folder, name)), name)}:{rest}")
    return findings


def annotated(source: str) -> str:
    """Return an application with types for the arguments of setup() and of endpoints.

    Lines keep their numbers.
    """
    lines = source.split("\n")
    tree = ast.parse(source)
    places = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = [one for one in node.args.args if one.arg != "self"]
            kinds = _ARGUMENTS.get(node.name, ())
            if not kinds and arguments and arguments[0].arg == "request":  # of a route
                kinds = ("wsserver.Request",)
            for argument, kind in zip(arguments, kinds, strict=False):
                if argument.annotation is None:
                    places.append((argument.lineno, argument.end_col_offset or 0, kind))
    for line, column, kind in sorted(places, reverse=True):
        text = lines[line - 1].encode()
        lines[line - 1] = (text[:column] + f': "{kind}"'.encode() + text[column:]).decode()
    first = next((node for node in tree.body if not _is_docstring(node)), None)
    if first:
        at = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", []))])
        if isinstance(first, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            at -= 1  # the empty line before it
            lines[at - 1] = _IMPORTS.rstrip("; ") + lines[at - 1]
        else:
            lines[at - 1] = _IMPORTS + lines[at - 1]
    return "\n".join(lines)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
