"""Find the changes of a source file that a mutation run tries.

Left out are changes that make no difference by construction: of annotations, docstrings and other
texts, and statements that only print, log or collect garbage.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import NamedTuple

_LARGE = 8  # numbers from here on are halved; smaller ones grow by one
# Calls without an effect that a client or an application could notice.
_SILENT = {"print", "log", "print_exception", "collect", "info"}

_OPERATORS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}


class Mutation(NamedTuple):
    """A change of one piece of a file: `old`, at a byte offset, becomes `new`.

    code: its first line. key: identifies it as long as that line stays as it is. function: the
    one that it is in, with its class; "" for a line of the module.
    """

    path: Path
    offset: int
    old: str
    new: str
    line: int
    code: str
    key: str
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old!r} -> {self.new!r} in {self.code!r}"

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        old = self.old.encode()
        assert source[self.offset : self.offset + len(old)] == old
        return source[: self.offset] + self.new.encode() + source[self.offset + len(old) :]


class _Finder(ast.NodeVisitor):
    """Collects the changes that are possible in a source."""

    def __init__(self, path: Path, source: bytes):
        self.path = path
        self.source = source
        self.found: list[Mutation] = []
        self._seen: set[str] = set()
        self._names: list[str] = []
        self._lines = lines = source.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]

    def _begin(self, node) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _add(self, offset: int, old: str, new: str) -> None:
        line = next(n for n, start in enumerate(self._starts) if start > offset)
        code = self._lines[line - 1].decode().strip()
        place = offset - self._starts[line - 1]
        key = ""
        for number in range(100):  # the same line may occur more than once
            text = repr((self.path.as_posix(), code, place, old, new, number))
            key = hashlib.sha256(text.encode()).hexdigest()[:16]
            if key not in self._seen:
                break
        self._seen.add(key)
        function = ".".join(self._names)
        self.found.append(Mutation(self.path, offset, old, new, line, code, key, function))

    def _between(self, left: ast.AST, right: ast.AST, operator: ast.AST) -> None:
        """Change the operator between two operands."""
        if type(operator) not in _OPERATORS:
            return
        old, new = _OPERATORS[type(operator)]
        begin = self._end(left)
        at = self.source[begin : self._begin(right)].find(old.encode())
        if at >= 0:
            self._add(begin + at, old, new)

    def _within(self, node) -> None:
        """Visit a function or a class."""
        self._names.append(node.name)
        self.generic_visit(node)
        self._names.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._within(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self._between(left, right, operator)
            left = right
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not isinstance(node.left, ast.Constant) or isinstance(node.left.value, int):
            self._between(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, node.op)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._between(node.target, node.value, node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(self._begin(node), "not ", "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        begin = self._begin(node)
        old = self.source[begin : self._end(node)].decode()
        if isinstance(node.value, bool):
            self._add(begin, old, str(not node.value))
        elif isinstance(node.value, int):
            new = node.value + 1 if node.value < _LARGE else node.value // 2
            self._add(begin, old, str(new))

    def visit_Assign(self, node: ast.Assign) -> None:
        if not isinstance(node.targets[0], ast.Name):
            self._remove(node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            if _name(node.value.func) in _SILENT:
                return
            self._remove(node)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Leave out annotations."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            if not isinstance(node.target, ast.Name):
                self._remove(node)
            self.visit(node.value)

    def _remove(self, node):
        begin, end = self._begin(node), self._end(node)
        self._add(begin, self.source[begin:end].decode(), "pass")


def _name(function):
    """Return the last part of what is called."""
    return getattr(function, "attr", getattr(function, "id", ""))


def find_mutations(path: Path, source: bytes) -> list[Mutation]:
    """Return the possible changes of a source in which each result still compiles."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return [change for change in finder.found if _compiles(change.apply(source))]


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
        return True
    except SyntaxError:
        return False
