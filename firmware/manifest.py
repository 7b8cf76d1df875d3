# Freezes the server into a MicroPython build, where it takes no heap: see docs/install.md.
# boot.py, main.py and config.json stay on the file system, where they can be changed.
# ruff: noqa: F821 - the names are given by MicroPython's build.

include("$(PORT_DIR)/boards/manifest.py")  # what the port freezes anyway

LIB = "../lib"

package("wsserver", base_path=LIB)
