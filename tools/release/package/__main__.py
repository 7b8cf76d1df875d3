"""Start the command line of the installed package.

The wheel contains the folders of the repository (tools/, lib/, www/ and others) below this one, so
that no general name such as `tools` becomes importable for other programs.
"""

import os
import sys
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)


def main() -> int:
    """Run a command and return its exit status."""
    sys.path.insert(0, HERE)
    # Commands that start other Python processes find `tools` there as well.
    paths = [HERE, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    try:
        from tools.cli import main

        return main()
    except KeyboardInterrupt:  # while modules are imported
        return 130


if __name__ == "__main__":
    sys.exit(main())
