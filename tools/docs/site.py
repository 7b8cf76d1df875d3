"""`make docs`: build the documentation site with mkdocs into build/site.

The pages are docs/ and the Markdown files outside of it. They are copied to build/pages, where
their links fit the site. Links to other files of the repository become text, because the site does
not contain them.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools import ROOT
from tools.failure import Failure

PAGES = "build/pages"
SITE = "build/site"
# Pages outside of docs/, and their names on the site.
_OTHERS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_SOURCE = re.compile(r'(<img src=")([^"]+)(")')


def build(root: Path = ROOT) -> None:
    """Build the site. Raises Failure if mkdocs has a warning: a broken link, a page not listed."""
    collect(root, root / PAGES)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # advertises another program
    done = subprocess.run(
        command, cwd=root, encoding="utf-8", errors="replace", capture_output=True, env=quiet
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
        raise Failure("the site has errors:\n" + "\n".join(lines).strip())
    print(f"{SITE}/index.html is the documentation site")


def collect(root: Path, target: Path) -> None:
    """Copy all pages and pictures to `target`."""
    shutil.rmtree(target, ignore_errors=True)
    pages = {f"docs/{path.relative_to(root / 'docs')}": path for path in _documents(root)}
    names = {name: name.removeprefix("docs/") for name in pages} | _OTHERS
    for name, page in names.items():
        copy = target / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".md"):
            text = (root / name).read_text(encoding="utf-8")
            text = relinked(text, name, names, lambda file: (root / file).exists())
            copy.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(root / name, copy)


def _documents(root: Path) -> list[Path]:
    return [path for path in sorted((root / "docs").rglob("*")) if path.is_file()]


def relinked(text: str, name: str, names: dict[str, str], exists: Callable[[str], bool]) -> str:
    """Return a page with links that fit the site.

    name: of its file in the repository. names: {file: page} of all pages. exists(file): whether
    the repository has a file. Links to files that it lacks stay, and mkdocs reports them.
    """

    def page_of(target: str) -> str | None:
        path, _, anchor = target.partition("#")
        if not path or "://" in target or target.startswith("mailto:"):
            return target
        file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        if file not in names and f"{file}/README.md" in names:
            file = f"{file}/README.md"
        if file not in names:
            return None if exists(file) else target
        page = posixpath.relpath(names[file], posixpath.dirname(names[name]) or ".")
        return f"{page}#{anchor}" if anchor else page

    def link(match: re.Match[str]) -> str:
        target = page_of(match["target"])
        if target is None:
            return match["text"]
        return f"{match['image']}[{match['text']}]({target})"

    def source(match: re.Match[str]) -> str:
        return match[1] + (page_of(match[2]) or match[2]) + match[3]

    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)  # code stays as it is
    parts[::2] = [_SOURCE.sub(source, _LINK.sub(link, part)) for part in parts[::2]]
    return "".join(parts)
