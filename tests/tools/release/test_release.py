"""`make release`: versions, the changelog, and what is built."""

import datetime
import hashlib
import json
import re
import subprocess
import zipfile

import pytest

from tools import ROOT
from tools.failure import Failure
from tools.release import changelog
from tools.release.release import Options, release

DAY = datetime.date(2026, 12, 24)
LOG = """# Changelog

## [Unreleased]

### Added

- A thing.

## [0.2.0] - 2026-11-29

- The first.
"""


@pytest.fixture
def tree(tmp_path):
    """A project of a version and a changelog."""
    library = tmp_path / "lib" / "wsserver"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text('"""Text."""\n\n__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(LOG)
    return tmp_path


def test_the_project_has_one_semantic_version_with_notes():
    version = changelog.version()
    assert changelog.notes(version)
    assert json.loads((ROOT / "package.json").read_text())["version"] == version


def test_a_new_version_takes_what_was_unreleased(tree):
    changelog.bump("0.3.0", DAY, tree)
    assert changelog.version(tree) == "0.3.0"
    assert changelog.notes("0.3.0", tree) == "### Added\n\n- A thing."
    assert changelog.notes("Unreleased", tree) == ""
    assert "## [0.3.0] - 2026-12-24\n" in (tree / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("0.3", "VERSION=0.3 is not a semantic version"),
        ("v0.3.0", "is not a semantic version"),
        ("0.2.0", "must be later than 0.2.0"),
        ("0.2.0-rc.1", "must be later than 0.2.0"),
        ("0.1.9", "must be later than 0.2.0"),
    ],
)
def test_a_wrong_version_changes_nothing(tree, version, problem):
    with pytest.raises(Failure, match=re.escape(problem)):
        changelog.bump(version, DAY, tree)
    assert (tree / "CHANGELOG.md").read_text() == LOG
    assert changelog.version(tree) == "0.2.0"


def test_a_release_without_changes_is_refused(tree):
    changelog.bump("0.3.0", DAY, tree)
    with pytest.raises(Failure, match="nothing is unreleased"):
        changelog.bump("0.4.0", DAY, tree)


def test_a_version_without_notes_is_refused(tree):
    with pytest.raises(Failure, match=r"CHANGELOG.md has no section \[0.9.0\]: make release"):
        changelog.notes("0.9.0", tree)


def test_a_release_has_wheel_packages_and_romfs_with_checksums(tmp_path):
    to = tmp_path / "release"
    options = Options(base="https://example.org/mip", images=False, checks=False, to=to)
    files = {path.relative_to(to).as_posix() for path in release(options)}
    version = changelog.version()
    assert f"esp32_ws_server-{version}-py3-none-any.whl" in files
    assert {"NOTES.md", "xtensawin.romfs", "rv32imc.romfs", "mip/xtensawin.json"} <= files
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=to)
    assert done.returncode == 0
    line = next(line for line in (to / "SHA256SUMS").read_text().splitlines() if ".whl" in line)
    wheel = to / line.split()[1]
    assert line.split()[0] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert zipfile.ZipFile(wheel).testzip() is None


def test_the_workflow_builds_with_the_same_command():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "make release" in text
    assert "has not been run" in text
