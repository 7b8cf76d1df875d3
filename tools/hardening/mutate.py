"""Mutation tests: change one operator or constant at a time, and see whether a test fails.

Works on a copy of the repository, so that a changed file can never be left behind. A change that
no test notices is called a survivor: it is either a missing test, or a change that makes no
difference. docs/reliability.md explains those that remain.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_SLOWER = 3  # times as long as unchanged code a run may take, and then
_PATIENCE = 10  # as many seconds more
_LARGE = 8  # numbers from here on are halved; smaller ones grow by one


class Area(NamedTuple):
    """Source files (glob patterns below lib/), and the tests that must notice changes in them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "core": Area(
        ("wsserver/core/*.py",),
        (
            "tests/wsserver/core/test_protocol.py",
            "tests/wsserver/core/test_loops.py",
            "tests/wsserver/test_application_errors.py",
            "tests/wsserver/test_boundaries.py",
            "tests/wsserver/test_surrogates.py",
        ),
    ),
    "http": Area(
        (
            "wsserver/http/request.py",
            "wsserver/http/handshake.py",
            "wsserver/http/connection.py",
            "wsserver/http/routes.py",
            "wsserver/http/responses.py",
            "wsserver/http/static.py",
        ),
        (
            "tests/wsserver/core/test_handshake.py",
            "tests/wsserver/test_boundaries.py",
            "tests/wsserver/test_file_contents.py",
            "tests/wsserver/test_files.py",
            "tests/wsserver/test_requests.py",
        ),
    ),
    "auth": Area(
        ("wsserver/http/auth.py", "wsserver/http/ratelimit.py"),
        (
            "tests/wsserver/test_boundaries.py",
            "tests/wsserver/test_guard.py",
            "tests/wsserver/test_brute_force.py",
            "tests/wsserver/test_registration_errors.py",
        ),
    ),
    "failsafe": Area(
        ("failsafe/*.py", "config/atomic.py"),
        ("tests/failsafe/test_boundaries.py", "tests/failsafe/test_safety.py"),
    ),
}

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
    """A change of one piece of a file: `old`, at a byte offset, becomes `new`."""

    path: Path
    offset: int
    old: str
    new: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old!r} -> {self.new!r}"

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
        lines = source.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]

    def _begin(self, node) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _add(self, offset: int, old: str, new: str, node: ast.AST) -> None:
        self.found.append(Mutation(self.path, offset, old, new, node.lineno))  # type: ignore[attr-defined]

    def _between(self, left: ast.AST, right: ast.AST, operator: ast.AST) -> None:
        """Change the operator between two operands."""
        if type(operator) not in _OPERATORS:
            return
        old, new = _OPERATORS[type(operator)]
        begin = self._end(left)
        at = self.source[begin : self._begin(right)].find(old.encode())
        if at >= 0:
            self._add(begin + at, old, new, left)

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
            self._add(self._begin(node), "not ", "", node)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        begin = self._begin(node)
        old = self.source[begin : self._end(node)].decode()
        if isinstance(node.value, bool):
            self._add(begin, old, str(not node.value), node)
        elif isinstance(node.value, int):
            new = node.value + 1 if node.value < _LARGE else node.value // 2
            self._add(begin, old, str(new), node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not isinstance(node.targets[0], ast.Name):
            self._remove(node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._remove(node)
        self.generic_visit(node)

    def _remove(self, node):
        begin, end = self._begin(node), self._end(node)
        self._add(begin, self.source[begin:end].decode(), "pass", node)


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


def copy_tree(target: Path) -> None:
    """Copy the repository's files, as they are in the working tree, and link its .venv."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())


def run_tests(tree: Path, tests: list[str], seconds: float | None) -> bool:
    """Return whether the tests pass. One that takes longer than `seconds` has failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    process = subprocess.Popen(
        command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.terminate()  # pytest stops its boards
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return False


def survivors(
    tree: Path, mutations: list[Mutation], tests: list[str], deadline: float
) -> Iterator[tuple[Mutation, bool | None]]:
    """Yield (mutation, whether it survived); None when the time is over before it was tried."""
    started = time.monotonic()
    if not run_tests(tree, tests, None):
        raise SystemExit(f"the tests fail without any change: {' '.join(tests)}")
    limit = (time.monotonic() - started) * _SLOWER + _PATIENCE
    for change in mutations:
        if time.monotonic() > deadline:
            yield change, None
            continue
        path = tree / change.path
        source = path.read_bytes()
        try:
            path.write_bytes(change.apply(source))
            yield change, run_tests(tree, tests, limit)
        finally:
            path.write_bytes(source)


def choose(area: Area, find: str, count: int, seed: int) -> list[Mutation]:
    """Return at most `count` changes of an area whose text contains `find`, chosen at random."""
    paths = [path for pattern in area.sources for path in sorted((ROOT / "lib").glob(pattern))]
    changes = [
        change
        for path in paths
        for change in find_mutations(path.relative_to(ROOT), path.read_bytes())
        if find in str(change)
    ]
    random.Random(seed).shuffle(changes)
    return sorted(changes[: count or None])


def main(argv: list[str] | None = None) -> int:
    """Return 0 if there are no survivors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}")
    parser.add_argument("--count", type=int, default=40, help="changes per area; 0 for all")
    parser.add_argument("--minutes", type=float, default=10, help="for all areas together")
    parser.add_argument("--find", default="", help="only changes whose description contains this")
    parser.add_argument("--seed", type=int, default=1, help="of the random choice")
    parser.add_argument("--tests", nargs="+", help="tests to run instead of the area's")
    options = parser.parse_args(argv)
    deadline = time.monotonic() + options.minutes * 60
    survived = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_tree(Path(folder))
        for name in options.areas or AREAS:
            changes = choose(AREAS[name], options.find, options.count, options.seed)
            tests = options.tests or list(AREAS[name].tests)
            results: list[bool | None] = []
            for change, alive in survivors(Path(folder), changes, tests, deadline):
                results.append(alive)
                if alive:
                    print("survived:", change, flush=True)
            survived += results.count(True)
            print(
                f"{name}: {results.count(False)} killed, {results.count(True)} survived, "
                f"{results.count(None)} not tried",
                flush=True,
            )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
