# Freezes the server into a MicroPython build, where it takes no heap: see docs/install.md.
# boot.py, main.py and config.json stay on the file system, where they can be changed.
# ruff: noqa: F821 - include, package and module are given by MicroPython's build.

import os

include("$(PORT_DIR)/boards/manifest.py")  # what the port freezes anyway

LIB = "../lib"

for name in sorted(os.listdir(LIB)):
    if name.endswith(".py"):
        module(name, base_path=LIB)
    elif not name.startswith("_"):
        package(name, base_path=LIB)
