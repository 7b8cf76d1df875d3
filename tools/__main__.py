"""Start the command line."""

import sys

try:
    from .cli import main

    status = main()
except KeyboardInterrupt:  # while modules are imported
    status = 130
sys.exit(status)
