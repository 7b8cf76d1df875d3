"""APP=...: which files an application has, and how they get onto a board and away again."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments

import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.tools.deploy.test_usb import contents, full_board, project, run  # noqa: F401
from tools import ROOT
from tools.deploy import template
from tools.deploy.application import NONE, find
from tools.failure import Failure

pytestmark = pytest.mark.host

ECHO = """
class Echo:
    def on_message(self, client, message):
        client.send(message)

def setup(board):
    board.server.websocket("/echo", Echo())
"""


def write(folder, **files):
    """Write files, with "__" for "/" and "_" for "." in their names; return the folder."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(path, **options):
    return sorted(find(path, **options).files)


# --- which files


def test_a_file_brings_the_modules_that_it_imports_and_its_pages(tmp_path):
    write(
        tmp_path,
        garden_py="import soil, json\nfrom pumps.water import on\n" + ECHO,
        soil_py="from calibration import table",
        calibration_py="table = ()",
        unused_py="",
        www__index_html="page",
    )
    (tmp_path / "pumps").mkdir()
    for name in ("__init__.py", "water.py"):
        (tmp_path / "pumps" / name).write_text("on = 1")
    found = find(tmp_path / "garden.py")
    assert sorted(found.files) == [
        *("/app/app.py", "/app/calibration.py", "/app/pumps/__init__.py", "/app/pumps/water.py"),
        *("/app/soil.py", "/app/www/index.html"),
    ]
    assert found.source("app/app.mpy") == tmp_path / "garden.py"
    assert found.source("/lib/startup.mpy") is None


def test_pages_of_the_firmware_are_not_those_of_a_file_beside_them(tmp_path):
    write(tmp_path, garden_py=ECHO, www__index_html="the firmware's")
    (tmp_path / "lib" / "admin").mkdir(parents=True)
    rules = "lib/admin/names.py"
    (tmp_path / rules).write_text((ROOT / rules).read_text())
    assert names(tmp_path / "garden.py", root=tmp_path) == ["/app/app.py"]


def test_a_folder_is_copied_but_for_hidden_and_compiled_files(tmp_path):
    write(tmp_path, app_py=ECHO, unused_py="", data__table_csv="1", config_json="{}")
    write(tmp_path, old_mpy="", a__b_pyc="")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("")
    assert names(tmp_path) == [
        *("/app/app.py", "/app/config.json", "/app/data/table.csv", "/app/unused.py"),
    ]


def test_a_package_is_an_application_too(tmp_path):
    (tmp_path / "__init__.py").write_text("from .main_part import setup")
    (tmp_path / "main_part.py").write_text(ECHO)
    assert names(tmp_path) == ["/app/__init__.py", "/app/main_part.py"]


def test_the_demo_is_no_application():
    assert find(Path(NONE)).files == {}


@pytest.mark.parametrize(
    ("files", "path", "problem"),
    [
        ({}, "none.py", r"APP=.*none\.py does not exist; `make new APP=.*none\.py` writes"),
        (
            {"notes_txt": ""},
            "notes.txt",
            r"APP=.*notes\.txt is neither a Python file nor a folder",
        ),
        ({}, "none", r"APP=.*none does not exist: give a Python file, or a folder with app\.py"),
        (
            {"garden_py": ECHO},
            "garden",
            r"APP=.*garden does not exist; did you mean APP=.*garden\.py\?",
        ),
        ({"garden_py": ECHO}, "gadren.py", r"does not exist; did you mean APP=.*garden\.py\?"),
        ({"garden__app_py": ECHO}, "gardn", r"does not exist; did you mean APP=.*garden\?"),
        ({"other_py": ECHO}, ".", r"has neither app\.py nor __init__\.py"),
        ({"a_py": "x = 1"}, "a.py", r"a\.py has no function setup\(board\)"),
        (
            {"a_py": "def setup():\n    pass"},
            "a.py",
            r"a\.py:1: setup\(\) is called with the board",
        ),
        ({"a_py": "x = 1\ny = ("}, "a.py", r"a\.py:2: '\(' was never closed"),
        ({"a_py": "import json\n" + ECHO, "json_py": ""}, "a.py", r"json\.py: its name is that"),
        ({"app_py": ECHO, "startup_py": ""}, ".", r"startup\.py: its name is that of a module"),
        ({"app_py": ECHO, "Config_py": ""}, ".", r"Config\.py: its name is that of a module"),
        ({"app_py": ECHO, "wsserver__x_py": ""}, ".", r"wsserver/x\.py: its name is that"),
        ({"a_py": "import app\n" + ECHO, "app_py": ""}, "a.py", r"app\.py would replace .*a\.py"),
    ],
)
def test_what_cannot_be_installed_is_refused_by_name(tmp_path, files, path, problem):
    write(tmp_path, **files)
    with pytest.raises(Failure, match=problem):
        find(tmp_path / path)


def test_a_page_that_is_a_link_to_a_private_file_is_refused(tmp_path):
    write(tmp_path, secret_txt="secret", app__app_py=ECHO, app__www__a_html="")
    (tmp_path / "app" / "www" / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(Failure, match="link that leads out of www/"):
        find(tmp_path / "app")


# --- make new


def test_the_template_is_an_application_that_runs(tmp_path, make_board, capsys):
    template.write(tmp_path / "mine.py")
    board = make_board(application=find(tmp_path / "mine.py").files)
    client = websocket.create_connection(board.ws_url(), timeout=10)
    client.send("hello")
    assert client.recv() == "hello"
    assert f"make run APP={tmp_path / 'mine.py'}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["json.py", "config.py", "wsserver.py", "Machine.py"])
def test_the_template_gets_no_name_of_another_module(tmp_path, name):
    with pytest.raises(Failure, match="choose another name"):
        template.write(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_template_overwrites_nothing(tmp_path):
    (tmp_path / "mine.py").write_text("mine")
    with pytest.raises(Failure, match=r"mine\.py already exists and was not changed"):
        template.write(tmp_path / "mine.py")
    assert (tmp_path / "mine.py").read_text() == "mine"
    with pytest.raises(Failure, match="must be the name of a Python file"):
        template.write(tmp_path / "mine")
    with pytest.raises(Failure, match="cannot be written: No such file"):
        template.write(tmp_path / "none" / "mine.py")


# --- over USB


def served(board, path="/echo"):
    client = websocket.create_connection(board.ws_url(path), timeout=10)
    client.send("hello")
    answer = client.recv()
    client.close()
    return answer


def page(board):
    with urllib.request.urlopen(board.http_url, timeout=10) as response:
        return response.read()


def installed(board):
    return sorted(path for path in contents(board) if path.startswith("/app/"))


def test_deploying_installs_an_application_and_another_one_replaces_it(
    full_board, project, tmp_path, capsys
):
    first = write(tmp_path / "one", app_py="import soil\n" + ECHO, soil_py="", www__a_txt="a")
    write(first, www__index_html="page " * 99)
    run(full_board, project, app=first)
    assert installed(full_board) == [
        *("/app/app.mpy", "/app/soil.mpy", "/app/www/a.txt", "/app/www/index.html.gz")
    ]
    assert served(full_board) == "hello" and page(full_board) == b"page " * 99
    run(full_board, project)
    assert "the application on the board is kept" in capsys.readouterr().out
    assert len(installed(full_board)) == 4
    second = write(tmp_path / "two", mine_py=ECHO.replace("/echo", "/two"))
    run(full_board, project, app=second / "mine.py")
    assert installed(full_board) == ["/app/app.mpy"]
    assert served(full_board, "/two") == "hello" and b"<title>" in page(full_board)
    run(full_board, project, app=Path(NONE))
    assert installed(full_board) == []
    assert served(full_board, "/ws") == "hello"


def test_an_application_that_was_copied_by_hand_does_not_stay_in_the_way(
    full_board, project, tmp_path
):
    (full_board.flash / "app").mkdir()
    (full_board.flash / "app" / "app.py").write_text("1 / 0\n")
    (full_board.flash / "app" / "table.csv").write_text("mine")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text(ECHO)
    run(full_board, project, app=tmp_path / "pack")
    assert installed(full_board) == ["/app/__init__.mpy", "/app/table.csv"]
    assert served(full_board) == "hello"


def test_a_failing_application_is_shown_with_its_lines_and_can_be_replaced(
    full_board, project, tmp_path, capsys
):
    write(tmp_path, bad_py="def setup(board):\n    reading = {}\n    reading['soil']  # none\n")
    with pytest.raises(Failure, match="the application does not start: its output, above"):
        run(full_board, project, app=tmp_path / "bad.py")
    output = capsys.readouterr().out
    assert f"-> {tmp_path}/bad.py:3: reading['soil']  # none" in output
    assert "KeyError: soil" in output
    write(tmp_path, good_py=ECHO)
    run(full_board, project, app=tmp_path / "good.py")
    assert served(full_board) == "hello"


def test_an_application_that_hangs_can_be_replaced(full_board, project, tmp_path):
    write(tmp_path, bad_py="def setup(board):\n    while True:\n        pass\n")
    with pytest.raises(Failure, match="it does not serve"):
        run(full_board, project, app=tmp_path / "bad.py", wait=1)
    write(tmp_path, good_py=ECHO)
    run(full_board, project, app=tmp_path / "good.py")
    assert served(full_board) == "hello"
