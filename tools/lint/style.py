"""Style and common mistakes (ruff)."""

from __future__ import annotations

from pathlib import Path

from .project import ROOT, LintError, run


def check_style(root: Path = ROOT) -> None:
    """LintError: ruff found a mistake, or a file is not laid out as `make format` would."""
    found = []
    for arguments in (
        ("check", "--output-format=concise"),
        ("format", "--check", "--output-format=concise"),
    ):
        try:
            run("ruff", *arguments, ".", root=root)
        except LintError as error:
            found.append(str(error))
    if found:
        found.append(
            "`make format` repairs the layout, and what can be repaired without thinking."
        )
        raise LintError("\n".join(found))
