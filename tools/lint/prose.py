"""Check the prose of documents and docstrings.

- Actors are clients, callers, servers and users. The pronouns in _ACTORS are at most 0.5 of 1,000
  words.
- Markdown is wrapped at 100 columns.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import ROOT

WIDTH = 100
LIMIT = 0.5  # of 1,000 words
_ACTORS = re.compile(r"\b(who|whom|somebody|nobody|everybody)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_LEFT_OUT = {".venv", "build", "node_modules"}


def check(root: Path = ROOT) -> list[str]:
    """Return what is wrong with the prose in `root`."""
    return [*check_actors(root), *check_width(root)]


def check_actors(root: Path = ROOT) -> list[str]:
    """Return where the unwanted words are, if they are too frequent."""
    words, found = 0, []
    for file, line, text in prose(root):
        words += len(_WORD.findall(text))
        name = file.relative_to(root).as_posix()
        found += [f"{name}:{line}: {match[0]!r}" for match in _ACTORS.finditer(text)]
    rate = 1000 * len(found) / max(words, 1)
    if rate <= LIMIT:
        return []
    return [*found, f"{rate:.1f} of 1,000 words are such actors; at most {LIMIT} may be"]


def check_width(root: Path = ROOT) -> list[str]:
    """Return the lines of Markdown prose that are too long. Tables, code and HTML are excepted."""
    findings = []
    for file in documents(root):
        for number, line in markdown_lines(file.read_text(encoding="utf-8")):
            text = line.strip()
            can_be_wrapped = " " in re.sub(r"\[[^]]*\]\([^)]*\)", "", text.lstrip("-*> "))
            if len(line) > WIDTH and text[0] not in "|<" and can_be_wrapped:
                name = file.relative_to(root).as_posix()
                findings.append(f"{name}:{number}: {len(line)} columns; {WIDTH} are the limit")
    return findings


def prose(root: Path) -> Iterator[tuple[Path, int, str]]:
    """Yield (file, line number, text) of Markdown and of docstrings."""
    for file in documents(root):
        for number, line in markdown_lines(file.read_text(encoding="utf-8")):
            yield file, number, line
    for file in sources(root):
        for number, text in docstrings(file.read_text(encoding="utf-8")):
            yield file, number, text


def documents(root: Path) -> list[Path]:
    """Return the Markdown files."""
    return _files(root, "*.md")


def sources(root: Path) -> list[Path]:
    """Return the Python files of the board and of the tools."""
    files = [root / name for name in ("boot.py", "main.py") if (root / name).exists()]
    return files + [
        file for folder in ("lib", "tools", "examples") for file in _files(root / folder, "*.py")
    ]


def _files(folder: Path, pattern: str) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob(pattern))
        if not _LEFT_OUT.intersection(file.relative_to(folder).parts)
    ]


def markdown_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of a Markdown text without its code blocks and empty lines."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif line.strip() and not fenced and not line.startswith("    "):
            yield number, line


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of each docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text
