"""Deploying to a board whose firmware is frozen or in a ROMFS, where it cannot be replaced."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments

import re

import pytest

from tests.admin.test_update import CONFIG, password  # noqa: F401
from tests.admin.test_update_application import answer
from tests.tools.deploy.test_romfs import image  # noqa: F401
from tests.tools.deploy.test_usb import project  # noqa: F401
from tools.deploy import romfs
from tools.deploy.deployment import Options, deploy
from tools.failure import Failure
from tools.virtualboard.interpreter import interpreter, native_arch

ECHO = """
class Echo:
    def on_message(self, client, message):
        client.send("answer")

def setup(board):
    board.server.websocket("/echo", Echo())
"""
IS_FROZEN = interpreter().is_frozen
WHERE = "frozen into its MicroPython" if IS_FROZEN else "in its ROMFS"
BY = ["usb", "wifi"]


@pytest.fixture
def options(request):
    """Options of a virtual board that has lib/ in place."""
    config = {"config": CONFIG, "heap": "256k"}
    return config if IS_FROZEN else {**config, "romfs": request.getfixturevalue("image")}


@pytest.fixture
def board(make_board, options):
    return make_board(**options)


def run(board, project, by, **options):
    if by == "usb":
        deploy(Options(port=board.serial, root=project, **options))
    else:
        host = f"127.0.0.1:{board.http_port}"
        deploy(Options(host=host, ca=project / "none", root=project, wait=20, **options))


def library(board):
    return [path for path in board.files() if path.startswith("/lib/")]


def change(project):
    """Change a page and a module of lib/, which is a part of every board."""
    (project / "www" / "more.html").write_text("more")
    (project / "lib" / "startup.py").write_text("raise ValueError\n")
    (project / "lib" / "wsserver" / "server.py").write_text("raise ValueError\n")


@pytest.mark.parametrize("by", BY)
def test_pages_and_an_application_are_sent_but_not_lib(board, project, tmp_path, capsys, by):
    change(project)
    (tmp_path / "app.py").write_text(ECHO)
    run(board, project, by, app=tmp_path / "app.py")
    output = capsys.readouterr().out
    assert answer(board) == "answer"
    assert board.files()["/www/more.html"] == b"more"
    assert library(board) == []
    assert f"the board has firmware 0.2.0 {WHERE}, so lib/ is not sent" in output
    assert "this is firmware" not in output
    run(board, project, by, app=tmp_path / "app.py")
    assert re.search(r"\n0 files copied, 0 removed, \d+ unchanged", capsys.readouterr().out)


@pytest.mark.parametrize("by", BY)
def test_programs_of_another_version_are_not_mixed_with_lib(board, project, capsys, by):
    change(project)
    (project / "main.py").write_text("import startup\nstartup.new_function()\n")
    file = project / "lib" / "wsserver" / "__init__.py"
    file.write_text(re.sub(r'__version__ = ".*"', '__version__ = "9.8.7"', file.read_text()))
    before = board.files()["/main.py"]
    run(board, project, by)
    output = capsys.readouterr().out
    assert "this is firmware 9.8.7: boot.py and main.py of the board are kept" in output
    assert board.files()["/www/more.html"] == b"more"
    assert board.files()["/main.py"] == before
    assert library(board) == []


@pytest.mark.parametrize("by", BY)
def test_files_in_lib_that_are_hidden_are_removed(make_board, options, project, capsys, by):
    stale = {"lib/admin/update.py": "", "lib/failsafe/crash.py": "", "lib/mine.py": ""}
    record = '["/lib/admin/update.py", "/lib/failsafe/crash.py"]'
    board = make_board(**options, wait=False, files={"deployed.json": record})
    board.wait_ready()
    for path, text in stale.items():
        (board.flash / path).parent.mkdir(parents=True, exist_ok=True)
        (board.flash / path).write_text(text)
    run(board, project, by)
    kept = ["/lib/mine.py"] if by == "usb" else ["/lib/failsafe/crash.py", "/lib/mine.py"]
    assert sorted(library(board)) == kept
    assert "/lib/failsafe" not in capsys.readouterr().err


@pytest.mark.parametrize("by", BY)
def test_a_package_that_is_not_in_the_romfs_is_sent(make_board, image, project, by):
    files = romfs.library(native_arch())
    part = romfs.pack({p: data for p, data in files.items() if not p.startswith("/lib/fleet/")})
    board = make_board(romfs=part, config=CONFIG, heap="256k")
    run(board, project, by)
    assert {path.split("/")[2] for path in library(board)} == {"fleet"}


def test_a_failing_application_is_rolled_back_from_firmware_in_place(board, project, tmp_path):
    (tmp_path / "app.py").write_text(ECHO)
    run(board, project, "wifi", app=tmp_path / "app.py")
    (tmp_path / "app.py").write_text("def setup(board):\n    raise ValueError('soil')\n")
    with pytest.raises(Failure, match="the new version did not start: the board rolled back"):
        run(board, project, "wifi", app=tmp_path / "app.py")
    assert answer(board) == "answer"
    assert "ValueError: soil" in board.files()["/crash.log"].decode()


def test_safe_mode_of_firmware_in_place_is_left_over_usb(board, project, tmp_path):
    (tmp_path / "app.py").write_text("def setup(board):\n    raise ValueError('soil')\n")
    with pytest.raises(Failure, match="the application does not start"):
        run(board, project, "usb", app=tmp_path / "app.py")
    (tmp_path / "app.py").write_text(ECHO)
    run(board, project, "usb", app=tmp_path / "app.py")
    assert answer(board) == "answer"
