"""OTA updates of an application: `make deploy APP=... HOST=...`."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments

import json
import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.admin.test_update import (  # noqa: F401
    CONFIG,
    ask,
    begin,
    board,
    new_board,
    password,
    project,
    put,
    raw,
    run,
)
from tools.failure import Failure

ECHO = """
import answers

class Echo:
    def on_message(self, client, message):
        client.send(answers.ANSWER)

def setup(board):
    board.server.websocket("/echo", Echo())
"""
RAISES = "def setup(board):\n    reading = {}\n    reading['soil']  # none\n"


@pytest.fixture
def app(tmp_path):
    """A folder with an application, to be changed."""
    folder = tmp_path / "garden"
    (folder / "www").mkdir(parents=True)
    (folder / "app.py").write_text(ECHO)
    (folder / "answers.py").write_text("ANSWER = 'first'\n")
    (folder / "www" / "index.html").write_text("garden " * 99)
    return folder


def answer(board):
    client = websocket.create_connection(board.ws_url("/echo"), timeout=10)
    client.send("")
    text = client.recv()
    client.close()
    return text


def test_an_application_is_installed_replaced_and_removed(board, project, app, tmp_path):
    run(board, project, app=app)
    assert answer(board) == "first"
    with urllib.request.urlopen(board.http_url, timeout=10) as page:
        assert page.read() == b"garden " * 99
    (tmp_path / "other.py").write_text(ECHO.replace("import answers", "").replace("answers.", ""))
    (tmp_path / "other.py").write_text("ANSWER = 'other'\n" + (tmp_path / "other.py").read_text())
    run(board, project, app=tmp_path / "other.py")
    assert answer(board) == "other"
    assert [path.stem for path in (board.flash / "app").rglob("*") if path.is_file()] == ["app"]
    run(board, project, app=Path("demo"))
    assert not any(path.is_file() for path in (board.flash / "app").rglob("*"))
    websocket.create_connection(board.ws_url("/ws"), timeout=10).close()


def test_broadcasts_of_an_application_do_not_disturb_an_update(board, project, app):
    shout = "    send = board.server.broadcast\n    board.server.every(20, lambda: send(%r))\n"
    source = (app / "app.py").read_text()
    (app / "app.py").write_text(source + shout % '{"error": "not an answer"}' + shout % "hello")
    run(board, project, app=app)
    (app / "app.py").write_text(source)
    run(board, project, app=app)
    assert answer(board) == "first"


def test_a_failing_application_is_rolled_back_with_its_lines(board, project, app, capsys):
    run(board, project, app=app)
    (app / "app.py").write_text(RAISES)
    capsys.readouterr()
    with pytest.raises(Failure, match="the new version did not start: the board rolled back"):
        run(board, project, app=app)
    assert f"-> {app}/app.py:3: reading['soil']  # none" in capsys.readouterr().out
    assert answer(board) == "first"


def test_a_failing_application_is_blamed_and_not_older_settings(board, project, app):
    run(board, project, app=app)
    settings = (board.flash / "config.json").read_text()
    (board.flash / "config.undo-120").write_text("{}")
    (app / "app.py").write_text(RAISES)
    with pytest.raises(Failure, match="the new version did not start: the board rolled back"):
        run(board, project, app=app)
    assert answer(board) == "first"
    assert (board.flash / "config.json").read_text() == settings
    assert undo_of(board) == ["config.undo-120"]


def test_settings_that_changed_during_a_trial_are_blamed_first(board, project, app):
    source = "    if board.settings['broadcast']['text'] == 'bad':\n        1 / 0\n"
    (app / "app.py").write_text(ECHO + source)
    (board.flash / "config.undo-120").write_text("{}")
    run(board, project, app=app, wait=0)
    board.wait_for_log(r"trial-1 of 3(.*\n)*serving")
    assert undo_of(board) == ["config.undo-0120"]
    settings = (board.flash / "config.json").read_text()
    (board.flash / "config.undo-0120").unlink()
    (board.flash / "config.undo-120").write_text(settings)
    bad = {**CONFIG, "broadcast": {"interval": 0, "text": "bad"}}
    (board.flash / "config.json").write_text(json.dumps(bad))
    position = board.log_position
    board.power_cycle()
    board.wait_for_log(
        r"trial-3 of 3(.*\n)*settings: 3 starts failed: the last change is reverted(.*\n)*"
        r"update: trial-1 of 3(.*\n)*serving",
        20,
        since=position,
    )
    assert answer(board) == "first"
    assert (board.flash / "config.json").read_text() == settings
    assert "rolling back" not in board.log[position:]


def test_a_confirmed_deployment_confirms_settings_too(board, project, app):
    (board.flash / "config.undo-120").write_text("{}")
    run(board, project, app=app)
    assert undo_of(board) == []


def undo_of(board):
    """Return the names of the files with settings before an unconfirmed change."""
    return [file.name for file in board.flash.glob("config.undo-*")]


def test_an_application_that_hangs_is_rolled_back(board, project, app):
    run(board, project, app=app)
    (app / "answers.py").write_text("while True:\n    pass\n")
    with pytest.raises(Failure, match="the new version did not start: the board rolled back"):
        run(board, project, app=app, wait=1)
    assert answer(board) == "first"


def test_safe_mode_is_left_by_a_deployment_over_wifi(new_board, project, app):
    (app / "answers.py").write_text("1 / 0\n")
    files = {f"/app/{path.name}": path for path in app.glob("*.py")}
    with new_board(config=CONFIG, application=files) as board:
        board.wait_for_log(r"safe mode: 3 starts failed(.*\n)*serving", 20)
        (app / "answers.py").write_text("ANSWER = 'repaired'\n")
        run(board, project, app=app)
        assert answer(board) == "repaired"
        assert not list(board.flash.glob("failed-*"))


def test_data_may_have_the_name_of_a_module_but_no_module_may(board):
    client = raw(board)
    begin(client)
    assert put(client, "/app/config.json", b"{}") == 0
    for path in ("/app/config.py", "/app/json/x.txt", "/app/Network.mpy", "/app/application.py"):
        assert "would hide a module" in ask(client, "file", path, 1, "")["error"]
    client.close()
