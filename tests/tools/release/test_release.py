"""`make release`: versions, the changelog, and what is built."""

import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile

import pytest
import yaml

from tests.tools.board import images
from tools import ROOT
from tools.board import table
from tools.deploy import package
from tools.failure import Failure
from tools.release import changelog
from tools.release.release import Options, release

pytestmark = pytest.mark.host

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
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


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(folder, names of the files) of a release without images."""
    to = tmp_path_factory.mktemp("release") / "release"
    options = Options(base="https://example.org/mip", images=False, checks=False, to=to)
    return to, {path.relative_to(to).as_posix() for path in release(options)}


def test_a_release_has_wheel_packages_and_romfs_with_checksums(built):
    to, files = built
    version = changelog.version()
    assert f"esp32_ws_server-{version}-py3-none-any.whl" in files
    assert f"esp32-ws-{version}.tar" in files, "what the settings page installs"
    assert {"NOTES.md", "xtensawin.romfs", "rv32imc.romfs", "mip/xtensawin.json"} <= files
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=to)
    assert done.returncode == 0
    line = next(line for line in (to / "SHA256SUMS").read_text().splitlines() if ".whl" in line)
    wheel = to / line.split()[1]
    assert line.split()[0] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert zipfile.ZipFile(wheel).testzip() is None


def images_of_micropython(folder, *left_out):
    folder.mkdir()
    for board in table.load():
        if board.key not in left_out:
            data = images.firmware(board.chip, board.offset, version="1.29.0")
            (folder / f"{board.build}-20260801-v1.29.0.bin").write_bytes(data)
    return folder


def test_a_release_has_an_image_of_every_board_with_a_micropython(tmp_path, capsys):
    folder = images_of_micropython(tmp_path / "stock", "esp32h2", "esp32p4")
    to = tmp_path / "release"
    options = Options(firmware=folder, checks=False, to=to)
    found = {path.stem for path in release(options) if path.suffix == ".bin"}
    assert found == {board.key for board in table.load()} - {"esp32h2", "esp32p4"}
    output = capsys.readouterr()
    assert "no images for esp32h2, esp32p4. The first reason: " in output.err
    assert "has no ESP32_GENERIC_H2-...-v....bin of 1.29.0 or newer" in output.err
    assert output.out.count("a virtual board started from it and served") == 1


def git(folder, *arguments):
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def test_the_workflow_publishes_the_packages_for_mip_where_mip_looks(tmp_path):
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["release"]["steps"]
    [base] = [re.search("BASE=(.*)", step["run"])[1] for step in steps if "BASE=" in str(step)]
    [script] = [step["run"] for step in steps if "mip as a tag" in step.get("name", "")]
    checkout = tmp_path / "checkout"
    git(tmp_path, "init", "-q", "--bare", "origin")
    git(tmp_path, "init", "-q", "checkout")
    git(checkout, "remote", "add", "origin", str(tmp_path / "origin"))
    (checkout / ".gitignore").write_text("build/\n*.mpy\n")
    names = {"GITHUB_REPOSITORY": "owner/name", "GITHUB_REF_NAME": "v0.3.0"}
    expanded = ["bash", "-c", f"echo {base}"]
    environment = {**os.environ, **names, "RUNNER_TEMP": str(tmp_path)}
    done = subprocess.run(expanded, env=environment, text=True, capture_output=True)
    package.publish(done.stdout.strip(), checkout / "build/release/mip", say=lambda line: None)
    subprocess.run(["bash", "-e", "-c", script], cwd=checkout, env=environment, check=True)
    published = git(tmp_path / "origin", "ls-tree", "-r", "--name-only", "mip-v0.3.0").split()
    # Such as mip resolves github:owner/name/xtensawin.json@mip-v0.3.0:
    text = git(tmp_path / "origin", "show", "mip-v0.3.0:xtensawin.json")
    for _, address in json.loads(text)["urls"]:
        assert address.removeprefix("github:owner/name/") in published


STUBS = {
    "make": 'echo "make $*" >> $CALLS; mkdir -p build; cp -r "$BUILT" build/release',
    "gh": 'echo "gh $*" >> $CALLS; mkdir "$PUBLIC"; shift 5; cp "$@" "$PUBLIC"',
    "apt-get": 'echo "apt-get $*" >> $CALLS',
}


def test_every_step_of_the_workflow_does_what_it_says(built, tmp_path):
    """The commands themselves, with stubs for make, gh, apt-get and .ci/run."""
    version = changelog.version()
    job = yaml.safe_load(WORKFLOW.read_text())["jobs"]["release"]
    (tmp_path / "bin").mkdir()
    for name, script in STUBS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh -e\n{script}\n")
        path.chmod(0o755)
    checkout = tmp_path / "checkout"
    git(tmp_path, "init", "-q", "--bare", "origin")
    git(tmp_path, "init", "-q", "checkout")
    git(checkout, "remote", "add", "origin", str(tmp_path / "origin"))
    (checkout / "lib" / "wsserver").mkdir(parents=True)
    shutil.copy(ROOT / "lib" / "wsserver" / "__init__.py", checkout / "lib" / "wsserver")
    (checkout / ".ci").mkdir()
    (checkout / ".ci" / "run").write_text("#!/bin/sh -e\necho .ci/run >> $CALLS\n")
    (checkout / ".ci" / "run").chmod(0o755)
    shutil.copytree(built[0], tmp_path / "built")
    (tmp_path / "built" / "esp32.bin").write_bytes(b"an image")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "BUILT": str(tmp_path / "built"),
        "PUBLIC": str(tmp_path / "public"),
        "GITHUB_WORKSPACE": str(checkout),
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_REF_NAME": f"v{version}",
        "RUNNER_TEMP": str(tmp_path),
    }
    assert job["defaults"]["run"]["shell"] == "bash", "a container's is sh"
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # what GitHub calls
    for step in job["steps"]:
        if "run" in step:
            command = [*shell, step["run"]]
            done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True)
            assert done.returncode == 0, (step["name"], done.stderr)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if not call.startswith("apt-get")] == [
        ".ci/run",
        f"make release BASE=github:owner/name@mip-v{version}",
        next(call for call in calls if call.startswith(f"gh release create v{version} --notes")),
    ]
    public = tmp_path / "public"
    listed = (public / "SHA256SUMS").read_text()
    names = {line.split()[1] for line in listed.splitlines()}
    assert {path.name for path in public.iterdir()} == {*names, "SHA256SUMS", "esp32.bin"}
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=public)
    assert done.returncode == 0


def test_a_tag_that_is_not_the_version_ends_the_workflow(tmp_path):
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["release"]["steps"]
    [script] = [step["run"] for step in steps if "Compare" in step.get("name", "")]
    for tag, status in (("v9.9.9", 1), (f"v{changelog.version()}", 0)):
        environment = {**os.environ, "GITHUB_REF_NAME": tag}
        command = ["bash", "-e", "-c", script]
        assert subprocess.run(command, cwd=ROOT, env=environment).returncode == status


def test_the_workflow_is_marked_as_not_run():
    assert "has not been run" in WORKFLOW.read_text()
