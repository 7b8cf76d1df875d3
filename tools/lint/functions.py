"""Find long functions that do not state why they are not split.

A function has at most 40 lines without its docstring, and ten branches. A longer one has a comment
directly above it that starts with "Long:" and gives the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools import ROOT

from .prose import sources

LINES = 40
BRANCHES = 10
_HOT_PATH = "lib/wsserver/core/"
_REASON = "# Long: "
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler)


def check(root: Path = ROOT) -> list[str]:
    """Return the long functions without a reason, and the reasons that nothing needs."""
    findings = []
    for file in sources(root):
        name = file.relative_to(root).as_posix()
        if name.startswith(_HOT_PATH):
            continue
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        needed = set()
        for function, count, branches in measure(source):
            if count <= LINES and branches <= BRANCHES:
                continue
            line = _reason(function, lines)
            needed.add(line)
            if not line:
                findings.append(
                    f"{name}:{function.lineno}: {function.name}: {count} lines, {branches} "
                    f'branches: split it, or say why not in a comment above it, "{_REASON}..."'
                )
        findings += [
            f"{name}:{number}: no long function follows this reason"
            for number, text in enumerate(lines, 1)
            if text.strip().startswith(_REASON) and number not in needed
        ]
    return findings


def measure(source: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int, int]]:
    """Yield (function, lines, branches). A function inside another one counts with its lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _FUNCTIONS):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                count -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            yield node, count, _branches(node)


def _branches(node: ast.AST) -> int:
    count = 0
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            count += isinstance(child, _BRANCHES) + _branches(child)
    return count


def _reason(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Return the line of the reason in the comment above a function, or 0."""
    number = min([function.lineno, *(each.lineno for each in function.decorator_list)]) - 1
    while number and lines[number - 1].strip().startswith("#"):
        if lines[number - 1].strip().startswith(_REASON):
            return number
        number -= 1
    return 0
