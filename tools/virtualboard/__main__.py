"""Starts the command line, or says why this system cannot."""

import sys

try:
    from .cli import main
except ImportError as error:  # fcntl, termios: Windows
    sys.exit(
        f"The virtual board needs pseudo terminals, which this system has not ({error}). On "
        "Windows, use it in WSL: `wsl --install`, then the same commands there. A real board "
        "works without."
    )

sys.exit(main())
