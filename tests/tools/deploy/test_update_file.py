"""`make build`: the update file for the settings page."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools import ROOT, cli
from tools.deploy.build import build
from tools.deploy.files import firmware
from tools.deploy.updatefile import MANIFEST, SUMS, Options, make, target_for
from tools.failure import Failure

pytestmark = pytest.mark.host

APP = "def setup(board):\n    pass\n"


def made(folder, **options):
    """Return the manifest and {name: content} of an update file."""
    path = make(Options(to=folder / "update.tar", **options), say=lambda line: None)
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    return json.loads(files[MANIFEST]), files


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A project with few files, which compile quickly."""
    root = tmp_path_factory.mktemp("small")
    for name in (
        "boot.py",
        "lib/wsserver/__init__.py",
        "lib/admin/update.py",
        "lib/admin/names.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def update(tmp_path_factory):
    """The update file for all boards."""
    return made(tmp_path_factory.mktemp("update"))


def test_it_has_the_firmware_for_every_cpu_and_equal_files_once(update):
    manifest, files = update
    assert manifest["archs"] == ["xtensawin", "rv32imc"]
    listed = {(one["arch"], one["path"]): one for one in manifest["files"]}
    sources = {path.replace(".py", "") for path in firmware() if path.startswith("/lib/")}
    assert {path.replace(".mpy", "") for _, path in listed} >= sources
    assert {("", "/boot.py"), ("", "/main.py"), ("", "/www/index.html.gz")} <= set(listed)
    native = "/lib/wsserver/core/native.mpy"
    assert {("xtensawin", native), ("rv32imc", native)} <= set(listed)
    assert files["xtensawin" + native] != files["rv32imc" + native]
    both = [path for arch, path in listed if arch]
    assert 0 < len(both) < 20
    assert len(files) == len(listed) + 2


def test_the_manifest_has_the_size_and_hash_of_each_file(update):
    manifest, files = update
    for one in manifest["files"]:
        content = files[(one["arch"] or "all") + one["path"]]
        assert one["size"] == len(content)
        assert one["sha256"] == hashlib.sha256(content).hexdigest()
    assert (manifest["format"], manifest["layout"], manifest["app"]) == (1, 2, None)
    assert (
        f'__version__ = "{manifest["version"]}"'
        in Path(ROOT, "lib/wsserver/__init__.py").read_text()
    )


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="this system has no sha256sum")
def test_tar_and_sha256sum_check_it(small, tmp_path):
    made(tmp_path, root=small)
    subprocess.run(["tar", "xf", "update.tar"], cwd=tmp_path, check=True)
    check = ["sha256sum", "--quiet", "-c", SUMS]
    subprocess.run(check, cwd=tmp_path, check=True)
    (tmp_path / "all" / "boot.py").write_text("changed")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1


def test_a_chip_is_named_by_its_row_or_its_cpu(small, tmp_path):
    assert made(tmp_path, root=small, chips=("c3", "esp32c6"))[0]["archs"] == ["rv32imc"]
    assert made(tmp_path, root=small, chips=("x64",))[0]["archs"] == ["x64"]
    with pytest.raises(
        Failure, match=r"nonsense is not known: .*esp32c3.*, or a CPU: .*x64, x86$"
    ):
        made(tmp_path, chips=("nonsense",))


def test_an_application_comes_along_and_replaces_one_copied_by_hand(small, tmp_path):
    app = tmp_path / "garden.py"
    app.write_text(APP)
    manifest, files = made(tmp_path, root=small, app=app)
    assert manifest["app"] == "garden"
    assert "/app/app.py" in manifest["remove"]
    assert "all/app/app.mpy" in files
    manifest, files = made(tmp_path, root=small, app=Path("demo"))
    assert manifest["app"] == "demo"
    assert not [name for name in files if "/app/" in name]


def test_neither_settings_nor_certificates_nor_secrets_come_along(update, small, tmp_path):
    names = update[1]
    assert not [name for name in names if "config.json" in name or "certs/" in name]
    folder = tmp_path / "garden"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    for name in ("config.json", "secrets.json", "board.key", "server.key.der", "ca.pem"):
        (folder / name).write_text("secret")
        with pytest.raises(Failure, match=f"{name} may hold a secret"):
            made(tmp_path, root=small, app=folder)
        (folder / name).unlink()
    assert made(tmp_path, root=small, app=folder)


def test_the_same_files_give_the_same_bytes(small, tmp_path):
    contents = []
    for name in ("first", "second"):
        path = make(Options(to=tmp_path / name, root=small), say=lambda line: None)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_the_command_says_what_it_has_made(tmp_path, capsys):
    file = tmp_path / "update.tar"
    assert cli.main(["build", "--chip", "x64", "--to", str(file)]) == 0
    output = capsys.readouterr().out
    assert f"{file}: " in output
    assert "for x64" in output
    assert file.stat().st_size > 100_000


def test_a_path_too_long_for_the_file_is_an_error(small, tmp_path):
    app = tmp_path / "garden"
    (app / ("x" * 150)).mkdir(parents=True)
    (app / "app.py").write_text(APP)
    (app / ("x" * 150) / ("y" * 120)).write_text("data")
    with pytest.raises(Failure, match="use a shorter path"):
        made(tmp_path, root=small, app=app)


def test_it_is_what_deploying_would_copy(update):
    manifest, files = update
    wanted = build(firmware(), target_for("rv32imc"), False, pytest.fail)
    mine = {one["path"]: one for one in manifest["files"] if one["arch"] in ("", "rv32imc")}
    assert {path: files[(one["arch"] or "all") + path] for path, one in mine.items()} == wanted
