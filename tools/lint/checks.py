"""Run all checks, or repair what can be repaired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools import ROOT

from . import functions, prose
from .applications import check_applications, examples
from .compile import check_compiles
from .project import run
from .types import check_board_types

_STYLE = (
    "ruff check --quiet --output-format=concise .",
    "ruff format --check --output-format=concise .",
)
_HOST_TYPES = "mypy --no-error-summary --hide-error-context"


def lint(root: Path = ROOT) -> int:
    """Run every check and print its findings. Return 0, or 1 if there are any."""
    checks: dict[str, Callable[[], list[str]]] = {
        "style": lambda: [line for command in _STYLE for line in run(command, root)],
        "types of the host side": lambda: run(_HOST_TYPES, root),
        "types of the board's code": lambda: check_board_types(root),
        "types of the applications": lambda: check_applications(examples(root), root),
        "compiling for every chip": lambda: check_compiles(root),
        "long functions": lambda: functions.check(root),
        "prose": lambda: prose.check(root),
        "generated files": lambda: _outdated(root),
    }
    failed = False
    for name, check in checks.items():
        findings = check()
        print("".join(f"{line}\n" for line in findings), end="")
        print(f"lint: {name}: {'FAILED' if findings else 'ok'}", flush=True)
        failed = failed or bool(findings)
    if failed:
        print("`make format` repairs the layout and regenerates files")
    return int(failed)


def format(root: Path = ROOT) -> None:
    """Lay out the code and write the generated files."""
    run("ruff check --fix --quiet .", root)
    run("ruff format --quiet .", root)
    for file, content in generated(root).items():
        file.write_text(content, encoding="utf-8")


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Return the content of each file that is generated from others."""
    from tools.board import document, table
    from tools.deploy import package
    from tools.hardening import badinput

    makers = {
        "docs/boards.md": lambda old: document.text(table.load()),
        "docs/reliability.md": badinput.document,
        "package.json": lambda old: package.text(root),
    }
    return {
        root / name: make((root / name).read_text(encoding="utf-8"))
        for name, make in makers.items()
        if (root / name).exists()
    }


def _outdated(root: Path) -> list[str]:
    return [
        f"{file.relative_to(root)} is outdated"
        for file, content in generated(root).items()
        if file.read_text(encoding="utf-8") != content
    ]
