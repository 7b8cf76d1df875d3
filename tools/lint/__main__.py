"""`python -m tools.lint`, which is `make lint`: runs every check and prints what each found."""

from __future__ import annotations

import sys

from .compile import check_compiles
from .project import LintError
from .style import check_style
from .types import check_board_types, check_host_types

_CHECKS = (
    ("style", check_style),
    ("types of the host side", check_host_types),
    ("types of the board's code", check_board_types),
    ("compiling for every chip", check_compiles),
)


def main() -> int:
    """The exit status: 0, or 1 when a check failed."""
    failed = []
    for name, check in _CHECKS:
        try:
            check()
        except LintError as error:
            print(error)
            failed.append(name)
        print(f"lint: {name}: {'FAILED' if name in failed else 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
