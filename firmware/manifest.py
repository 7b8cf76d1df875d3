# Freezes the server into a MicroPython build, where it uses no heap: see docs/install.md.
# boot.py, main.py and config.json stay on the file system, where they can be changed.
# ruff: noqa: F821 - MicroPython's build defines include, package and module.

import os

include("$(PORT_DIR)/boards/manifest.py")  # the port's own frozen modules

LIB = "../lib"

for name in sorted(os.listdir(LIB)):
    if name.endswith(".py"):
        module(name, base_path=LIB)
    elif os.path.exists(LIB + "/" + name + "/__init__.py"):
        package(name, base_path=LIB)
