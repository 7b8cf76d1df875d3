"""`make docs`: the site is complete, and broken links are errors."""

import re
import shutil

import pytest

from tools import ROOT
from tools.docs import site
from tools.failure import Failure

pytestmark = pytest.mark.host


@pytest.fixture
def project(tmp_path):
    """A copy of all documents, to be changed."""
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mkdocs.yml", "docs", "examples"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for path in ROOT.iterdir():  # links lead there
        if path.name not in ("build", ".venv") and not (tmp_path / path.name).exists():
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_the_site_has_every_page_and_loads_nothing_from_elsewhere(project):
    site.build(project)
    folder = project / "build" / "site"
    pages = {path.stem for path in folder.glob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= pages
    assert {"index", "contributing", "changelog", "examples"} <= pages
    loaded = re.compile(
        r'(?:<script[^>]* src|<link[^>]* rel="stylesheet"[^>]* href|<img[^>]* src)="(\w+:)?//'
    )
    for page in folder.glob("*.html"):
        assert not loaded.search(page.read_text(encoding="utf-8")), page.name
    assert 'href="safety.html#safe-mode"' in (folder / "applications.html").read_text()


def test_broken_links_and_a_page_that_is_not_listed_are_errors(project):
    links = ("none.md", "api.md#none", "../README.md#none")
    api = project / "docs" / "api.md"
    api.write_text(api.read_text() + "".join(f"\n[broken]({link})\n" for link in links))
    (project / "docs" / "new.md").write_text("# New\n")
    with pytest.raises(Failure) as caught:
        site.build(project)
    lines = str(caught.value).splitlines()
    for link in ("none.md", "#none", "index.md#none"):
        assert any("api.md" in line and link in line for line in lines), link
    assert any("new.md" in line for line in lines)


def test_links_fit_the_site():
    names = {"docs/a.md": "a.md", "README.md": "index.md", "examples/README.md": "examples.md"}

    def relinked(text, name="docs/a.md"):
        return site.relinked(text, name, names, lambda file: file == "lib/startup.py")

    assert relinked("[x](../README.md#y) [z](#here)") == "[x](index.md#y) [z](#here)"
    assert relinked("[x](docs/a.md)", "README.md") == "[x](a.md)"
    assert relinked("[x](../examples/)") == "[x](examples.md)"
    assert relinked("[code](../lib/startup.py)") == "code"
    assert relinked("[x](none.md)") == "[x](none.md)"
    assert relinked("```\n[x](../README.md)\n```") == "```\n[x](../README.md)\n```"
