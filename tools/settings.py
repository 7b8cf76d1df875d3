"""Read a config.json as the board does, and explain what is wrong with it."""

from __future__ import annotations

import importlib
import json
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from tools import ROOT

# A string, which is kept, or a comma before a closing bracket.
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[]}])')


def parse(data: bytes) -> Any:
    """Return the content of a config.json. A comma after the last entry is allowed, as there.

    Raises ValueError if it is not JSON, and RecursionError if it is nested too deeply.
    """
    text = data.decode("utf-8-sig")
    return json.loads(_TRAILING_COMMA.sub(lambda match: match[1] or " ", text))


def explain(problem: str) -> str:
    """Return a problem that the board's rules have found. A similar name replaces the known ones.

    problem: such as "wifi.pasword: unknown field; known are channel, country, password".
    """
    text, found, known = problem.partition("; known are ")
    name = text.partition(":")[0].split(".")[-1]
    close = get_close_matches(name, known.split(", "), 1) if found else []
    return f"{text}; did you mean {close[0]!r}?" if close else problem


def rules(root: Path = ROOT) -> ModuleType:
    """Return the module of the board's own rules for config.json, lib/config/schema.py."""
    # In a package, because the module imports another one of its folder.
    package = f"board_config_{abs(hash(str(root)))}"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(root / "lib" / "config")]
    return importlib.import_module(f"{package}.schema")
