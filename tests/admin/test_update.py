"""OTA updates: `make deploy HOST=...` through the board's own server."""

import hashlib
import json
import random
import re
import shutil
import time
from pathlib import Path

import pytest
import websocket

from tests.conftest import FORMS
from tools.certs import cli
from tools.deploy import wifi
from tools.deploy.deployment import Options, deploy
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
CONFIG = {"broadcast": {"interval": 0}, "admin": {"password": PASSWORD}}
SEED = random.randrange(1 << 30)
SYNTAX_ERROR = "x = (\n"
# Files that would replace or hide what a rollback needs.
HIDING = [
    *("/lib/failsafe.py", "/lib/Failsafe/rollback.mpy", "/lib/recovery.py", "/lib/json.py"),
    *("/lib/os.mpy", "/lib/machine/__init__.py", "/lib/startup/__init__.py", "/lib/extra.py"),
    *("/app/json.py", "/app/JSON.py", "/app/failsafe/crash.py", "/app/wsserver.mpy"),
    *("/Lib/failsafe/rollback.mpy", "/BOOT.PY", "/app/boot.py"),
]
# An application that hangs soon after startup.
HANGS = """
def setup(board):
    board.server.after(100, hang)

def hang():
    while True:
        pass
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the files for a board, to be changed. A start is confirmed after 0.3 s."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("lib", "www"):
        shutil.copytree(ROOT / name, folder / name)
    speed_up(folder / "lib" / "admin" / "confirm.py", "_PROVEN = const(10000)", "const(300)")
    speed_up(folder / "lib" / "admin" / "update.py", "_PROVEN = const(10000)", "const(300)")
    return folder


def speed_up(path, line, value):
    """Replace the value of a constant."""
    text = path.read_text()
    assert line in text
    path.write_text(text.replace(line, line.split("const")[0] + value))


@pytest.fixture
def new_board(project, request, lib_form):
    """new_board(heap=..., ...) -> a board with the files of `project`, a context manager.

    Its lib/ has the form that `make deploy` would copy: source or compiled.
    """
    if request.config.getoption("--board"):
        pytest.skip("needs a virtual board of its own, and the tests are for a real one")
    source = lib_form == FORMS["source"]

    def new(heap="192k", **arguments):
        heap = lib_form.heap(heap)
        return VirtualBoard(root=project, heap=heap, source=source, **arguments)

    return new


@pytest.fixture
def board(new_board, request):
    """A running board with the files of `project`."""
    with new_board(config={**CONFIG, **getattr(request, "param", {})}) as board:
        board.wait_ready()
        yield board


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr(wifi, "_PROOF", 3)


def is_source(board):
    """Return whether a board's lib/ is source. Updates never replace this file."""
    return (board.flash / "lib" / "failsafe" / "rollback.py").exists()


def lib_as_on(board):
    """Return deploy's options for the form of a board's lib/."""
    return {"source": is_source(board)}


def run(board, project, **options):
    """Deploy in the form that the board has. Raises Failure if it fails."""
    host = f"127.0.0.1:{board.http_port}"
    options = {"ca": project / "none", "wait": 5, **lib_as_on(board), **options}
    deploy(Options(host=host, root=project, **options))


def firmware_of(board):
    """Return {path: content} of the firmware on a board's flash."""
    files = {}
    for folder in ("lib", "www", "boot.py", "main.py"):
        top = board.flash / folder
        paths = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        files.update({f"/{path.relative_to(board.flash)}": path.read_bytes() for path in paths})
    return files


def freshly_made(board, project):
    """Return firmware_of() a new board with `project`, in the form that this board has."""
    with VirtualBoard(root=project, source=is_source(board)) as fresh:
        return firmware_of(fresh)


def state(board):
    """Return the names of the update's state files."""
    folder = board.flash / "update"
    return sorted(path.name for path in folder.glob("*") if path.is_file())


def raw(board):
    """Return a client of /update; its `about` is the board's description."""
    client = websocket.create_connection(
        board.ws_url("/update"), timeout=10, header=[f"Authorization: Bearer {PASSWORD}"]
    )
    client.about = json.loads(client.recv())
    return client


def ask(client, *command):
    client.send(json.dumps(command))
    return json.loads(client.recv())


def put(client, path, content):
    """Send a file and return the last answer."""
    answer = ask(client, "file", path, len(content), hashlib.sha256(content).hexdigest())
    if content and answer == 0:
        client.send_binary(content)
        answer = json.loads(client.recv())
    return answer


def begin(client):
    while ask(client, "begin") < 0:
        pass


def confirm(board, position):
    """Confirm the update on trial, as `make deploy` does, once the board serves."""
    board.wait_for_log(r"trial-\d of 3(.*\n)*serving", since=position)
    board.wait_ready()  # the line may come from a start that the last power cut has ended
    client = raw(board)
    while ask(client, "confirm"):
        time.sleep(0.1)
    client.close()
    board.wait_for_log("update confirmed: removed /update/trial-", since=position)


# --- what is sent


def test_only_what_changed_is_sent_and_the_new_version_serves(board, project, lib_form, capsys):
    (project / "lib" / "demo" / "extra.py").write_text("value = 1\n")
    (project / "www" / "more").mkdir()
    (project / "www" / "more" / "page.html").write_text("more")
    run(board, project)
    assert (board.flash / "www" / "more" / "page.html").read_text() == "more"
    secrets = (board.flash / "secrets.json").read_bytes()
    settings = (board.flash / "config.json").read_bytes()
    (project / "lib" / "demo" / "extra.py").unlink()
    demo = project / "lib" / "demo" / "application.py"
    demo.write_text(demo.read_text() + "\nprint('the new version')\n")
    (project / "config.json").write_text("{}")
    capsys.readouterr()
    run(board, project)
    output = capsys.readouterr().out
    assert f"[1/1] /lib/demo/application{lib_form.suffix}" in output
    assert re.search(r"1 files copied, 1 removed, \d+ unchanged\nrestarting", output)
    assert "ready: the new version serves" in output
    board.wait_for_log("the new version")
    assert not (board.flash / "lib" / "demo" / f"extra{lib_form.suffix}").exists()
    assert (board.flash / "secrets.json").read_bytes() == secrets
    assert (board.flash / "config.json").read_bytes() == settings
    assert state(board) == []
    assert firmware_of(board) == freshly_made(board, project)


def test_without_changes_nothing_is_sent_and_the_board_runs_on(board, project, capsys):
    pid = board.pid
    run(board, project)
    assert re.search(r"0 files copied, 0 removed, \d+ unchanged", capsys.readouterr().out)
    assert board.pid == pid


def test_options_replace_settings_and_certificates(board, project):
    new = project / "new.json"
    new.write_text(json.dumps({**CONFIG, "wifi": {"ssid": "other"}}))
    assert cli.main(["--folder", str(project / "certs")]) == 0
    run(board, project, config=new, certs=True)
    assert (board.flash / "config.json").read_text() == new.read_text()
    ours, theirs = (root / "certs" / "server.key.der" for root in (project, board.flash))
    assert theirs.read_bytes() == ours.read_bytes()


def test_the_files_that_a_rollback_needs_are_not_replaced(board, project, lib_form, capsys):
    before = firmware_of(board)
    for path in ("boot.py", "lib/failsafe/rollback.py", "lib/failsafe/watchdog.py"):
        (project / path).write_text((project / path).read_text() + "\nprint('other')\n")
    run(board, project)
    output = capsys.readouterr()
    names = ", ".join(
        f"/lib/failsafe/{name}{lib_form.suffix}" for name in ("rollback", "watchdog")
    )
    assert f"/boot.py, {names}: different here" in output.err
    assert "0 files copied, 0 removed" in output.out
    assert firmware_of(board) == before


def test_with_a_certificate_nothing_is_sent_unencrypted(new_board, project, tmp_path, capsys):
    certs = tmp_path / "certs"
    assert cli.main(["--folder", str(certs)]) == 0
    with new_board(config=CONFIG, certs=certs) as board:
        board.wait_for_log("serving")
        host = f"wss://localhost:{board.https_port}"
        rest = {"root": project, **lib_as_on(board)}
        deploy(Options(host=host, ca=certs / "ca.pem", **rest))
        assert f"{host}/update: MicroPython" in capsys.readouterr().out
        assert cli.main(["--folder", str(tmp_path / "other")]) == 0
        other = str(tmp_path / "other" / "ca.pem")
        with pytest.raises(Failure, match="the board's certificate is not signed by"):
            deploy(Options(host=host, ca=Path(other), **rest))


# --- what is refused


def test_a_wrong_password_is_reported(board, project, monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", "wrong horse")
    with pytest.raises(Failure, match="the admin password is wrong"):
        run(board, project)


@pytest.mark.parametrize("board", [{"admin": {"enabled": False}}], indirect=True)
def test_a_board_whose_admin_is_off_takes_no_updates(board, project):
    with pytest.raises(Failure, match="it takes no updates"):
        run(board, project)


def test_a_dead_and_an_invalid_address_are_reported(board, project):
    board.stop()
    with pytest.raises(Failure, match="no board answers there"):
        run(board, project)
    for host in ("http://192.168.4.1", "192.168.4.1:port", "ws://192.168.4.1/ws"):
        with pytest.raises(Failure, match="is no address"):
            deploy(Options(host=host, root=project))


def test_only_deployable_paths_can_be_written(board):
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    refused = [
        *("/boot.py", "/lib/failsafe/rollback.mpy", "/lib/failsafe/x.py"),
        *("/secrets.json", "/crash.log"),
        *("/lib/../boot.py", "/lib/./x", "/www//x", "/lib/", "lib/x", "/", "", "/www/.hidden"),
        *("/certs/ca.key", "/certs/x/y.der", "/update/todo", "/www/a\\b", "/www/a\nb", "/tmp/x"),
        *("/www/" + "x" * 300, 5, None),
    ]
    for path in refused:
        assert "error" in ask(client, "file", path, 1, "00"), path
        assert "error" in ask(client, "remove", path), path
    for path in HIDING:
        assert "error" in ask(client, "file", path, 1, "00"), path
    assert "error" in ask(client, "read", "/secrets.json", 0)
    assert "error" in ask(client, "hash", "/secrets.json")
    assert "error" in ask(client, "file", "/www/x", 100_000_000, "00")
    for nonsense in ("", "[]", "5", "{}", '["fly"]', '["file"]', "["):
        client.send(nonsense)
        assert "error" in json.loads(client.recv()), nonsense
    client.send_binary(b"content of no file")
    assert "error" in json.loads(client.recv())
    assert not (board.flash / "update").exists()


def test_damaged_content_is_refused_and_not_installed(board):
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    digest = hashlib.sha256(b"other").hexdigest()
    assert ask(client, "file", "/www/x", 5, digest) == 0
    client.send_binary(b"wrong")
    assert "was damaged" in json.loads(client.recv())["error"]
    assert ask(client, "file", "/www/y", 5, digest) == 0
    assert "not complete" in ask(client, "commit", 60)["error"]
    assert put(client, "/www/y", b"right") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    client.close()
    confirm(board, position)
    assert (board.flash / "www" / "y").read_bytes() == b"right"
    assert not (board.flash / "www" / "x").exists()


def test_an_update_of_many_long_names_does_not_run_out_of_memory(board):
    paths = [f"/www/{number}{'x' * 180}" for number in range(50)]
    for path in paths[:2]:
        (board.flash / path[1:]).write_text("old")
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    assert put(client, paths[0], b"new") == 0
    for path in paths[1:]:
        assert ask(client, "remove", path) == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    client.close()
    confirm(board, position)
    assert (board.flash / paths[0][1:]).read_bytes() == b"new"
    assert not (board.flash / paths[1][1:]).exists()


def test_a_second_sender_takes_over_the_update_of_a_dead_one(board):
    first, second = raw(board), raw(board)
    begin(first)
    assert ask(first, "file", "/www/x", 5, "00") == 0
    assert "begin" in ask(second, "file", "/www/x", 1, "00")["error"]
    begin(second)
    assert first.recv_data() == (8, b"\x03\xf0another client has taken over the update")
    assert put(second, "/www/x", b"right") == 0


def test_a_file_sent_again_but_incomplete_is_not_installed(board):
    client = raw(board)
    begin(client)
    assert put(client, "/www/x", b"whole") == 0
    digest = hashlib.sha256(b"longer").hexdigest()
    assert ask(client, "file", "/www/x", 6, digest) == 0
    client.send_binary(b"long")
    assert json.loads(client.recv()) == 2
    assert put(client, "/www/y", b"whole") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert (board.flash / "www" / "y").exists()
    assert not (board.flash / "www" / "x").exists()


def test_a_file_sent_again_but_damaged_is_not_installed(board):
    client = raw(board)
    begin(client)
    assert put(client, "/www/x", b"whole") == 0
    assert ask(client, "file", "/www/x", 5, hashlib.sha256(b"other").hexdigest()) == 0
    client.send_binary(b"wrong")
    assert "was damaged" in json.loads(client.recv())["error"]
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert not (board.flash / "www" / "x").exists()


def test_the_last_command_for_a_path_counts(board):
    (board.flash / "www" / "old").write_text("old")
    client = raw(board)
    begin(client)
    assert put(client, "/www/x", b"whole") == 0
    assert ask(client, "remove", "/www/x") == 0
    assert ask(client, "remove", "/www/old") == 0
    assert put(client, "/www/old", b"new") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert not (board.flash / "www" / "x").exists()
    assert (board.flash / "www" / "old").read_text() == "new"


def test_nothing_is_accepted_after_the_commit(board):
    client = raw(board)
    begin(client)
    assert put(client, "/www/x", b"whole") == 0
    position = board.log_position
    commands = (["commit", 60], ["file", "/www/x", 0, ""], ["remove", "/www/x"], ["begin"])
    for command in commands:  # sent at once: the board restarts soon
        client.send(json.dumps(command))
    answers = [json.loads(client.recv()) for _ in commands]
    assert answers[0] == 0
    assert all("the board restarts" in answer["error"] for answer in answers[1:])
    confirm(board, position)
    assert (board.flash / "www" / "x").read_bytes() == b"whole"


# --- confirmation


def test_an_update_is_not_confirmed_by_serving_alone(board, project):
    change(project)
    position = board.log_position
    run(board, project, wait=0)
    board.wait_for_log(r"trial-\d of 3(.*\n)*serving", since=position)
    time.sleep(1)  # more than three times as long as a confirmation takes
    assert state(board) == ["trial-1"]
    confirm(board, position)
    assert state(board) == []


def test_the_next_deployment_confirms_the_last_one(board, project, capsys):
    change(project)
    position = board.log_position
    run(board, project, wait=0)
    assert "rolls back if nothing confirms" in capsys.readouterr().out
    board.wait_for_log(r"trial-\d of 3(.*\n)*serving", since=position)
    run(board, project)
    assert "0 files copied" in capsys.readouterr().out
    board.wait_for_log("update confirmed", since=position)


def test_an_update_that_nothing_confirms_is_rolled_back(new_board, project, capsys):
    path = project / "lib" / "admin" / "confirm.py"
    with new_board(config=CONFIG) as board:
        board.wait_ready()
        before = firmware_of(board)
        change(project)
        speed_up(path, "_UNCONFIRMED = const(180000)", "const(1000)")
        position = board.log_position
        run(board, project, wait=0)
        board.wait_for_log(r"not confirmed within 1 s(.*\n)*.*rolling back", since=position)
        board.wait_for_log(r"rolling back(.*\n)*serving", since=position)
        assert firmware_of(board) == before
        assert "not confirmed within" in (board.flash / "crash.log").read_text()


def test_there_is_nothing_to_confirm_without_an_update(board):
    assert ask(raw(board), "confirm") == {"error": "no update is on trial"}


def change(project):
    path = project / "lib" / "demo" / "application.py"
    path.write_text(path.read_text() + "\nNEW = 1\n")


# --- interrupted


def test_an_interrupted_update_changes_nothing_and_can_be_repeated(board, project):
    before = firmware_of(board)
    chance = random.Random(SEED)
    for path in (project / "lib" / "demo").glob("*.py"):
        path.write_text(path.read_text() + "\nNEW = 1\n")
    for _ in range(3):
        left = chance.randrange(1, 10)
        send = wifi.Update._send

        def until(self, message, send=send):
            nonlocal left
            if isinstance(message, bytes):
                left -= 1
                if not left:
                    self._socket.shutdown()
                    raise wifi.Unreachable("cut off")
            send(self, message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wifi.Update, "_send", until)
            with pytest.raises(Failure, match="cut off"):
                run(board, project)
        assert firmware_of(board) == before, f"seed {SEED}"
    board.power_cycle()
    board.wait_ready()
    assert firmware_of(board) == before, f"seed {SEED}"
    run(board, project)
    kept = {
        path: data for path, data in before.items() if path.startswith(wifi.WifiTransport.fixed)
    }
    assert firmware_of(board) == {**freshly_made(board, project), **kept}, f"seed {SEED}"


def install_with_power_cuts(board, project, times):
    """Install versions, with four power cuts during each installation."""
    chance = random.Random(SEED)
    for number in range(times):
        for path in (project / "lib").rglob("*.py"):
            path.write_text(path.read_text() + f"\nNEW = {number}\n")
        position = board.log_position
        run(board, project, wait=0)
        board.wait_for_log("update: installing", since=position)
        for _ in range(4):
            time.sleep(chance.random() * 0.02)
            position = board.log_position
            board.power_cycle()
        confirm(board, position)
        new, there = freshly_made(board, project), firmware_of(board)
        changed = {path for path in new if new[path] != there.get(path)}
        assert all(path.startswith(wifi.WifiTransport.fixed) for path in changed), f"seed {SEED}"
        assert there.keys() == new.keys(), f"seed {SEED}"


def roll_back_with_power_cuts(board, project, times):
    """Send broken versions, with four power cuts during each rollback."""
    chance = random.Random(SEED)
    good = (project / "lib" / "demo" / "application.py").read_text()
    before = firmware_of(board)
    for _ in range(times):
        for path in (project / "lib").rglob("*.py"):
            path.write_text(path.read_text() + "\nNEW = 1\n")
        (project / "lib" / "demo" / "application.py").write_text("1 / 0\n")
        position = board.log_position
        run(board, project, wait=0)
        board.wait_for_log("rolling back", since=position)
        for _ in range(4):
            time.sleep(chance.random() * 0.02)
            position = board.log_position
            board.power_cycle()
        board.wait_for_log("serving", since=position)
        assert firmware_of(board) == before, f"seed {SEED}"
        (project / "lib" / "demo" / "application.py").write_text(good)


def test_power_cuts_during_installation_are_recovered(board, project):
    install_with_power_cuts(board, project, times=1)


def test_power_cuts_during_rollback_are_recovered(board, project):
    roll_back_with_power_cuts(board, project, times=1)


# --- versions that do not work


def long(*values):
    return pytest.param(*values, marks=pytest.mark.faults)


@pytest.mark.parametrize("board", [{"watchdog": {"timeout": 1}}], indirect=True)
@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("lib/demo/application.py", "1 / 0\n", "ZeroDivisionError"),
        ("lib/demo/application.py", HANGS, "the watchdog restarted the board"),
        ("main.py", SYNTAX_ERROR, "the watchdog restarted the board"),
        long("lib/demo/application.py", SYNTAX_ERROR, "SyntaxError"),
        long("lib/wifi/connect.py", "import nonsense\n", "nonsense"),
        long("lib/admin/update.py", "import nonsense\n", "nonsense"),
    ],
)
def test_a_version_that_does_not_work_is_rolled_back(board, project, capsys, path, content, told):
    before = firmware_of(board)
    (project / path).write_text(content)
    (project / "lib" / "demo" / "added.py").write_text("")
    (project / "lib" / "wsserver" / "gctuning.py").unlink()
    source = (
        {"source": True} if path == "lib/demo/application.py" and content == SYNTAX_ERROR else {}
    )
    with pytest.raises(Failure, match="the board rolled back"):
        run(board, project, wait=3, **source)
    assert told in capsys.readouterr().out
    assert firmware_of(board) == before
    assert not list(board.flash.glob("failed-*"))


@pytest.mark.faults
def test_after_a_rollback_the_next_update_works(board, project):
    good = (project / "lib" / "demo" / "application.py").read_text()
    for _ in range(2):
        (project / "lib" / "demo" / "application.py").write_text("1 / 0\n")
        with pytest.raises(Failure, match="the board rolled back"):
            run(board, project)
        (project / "lib" / "demo" / "application.py").write_text(good + "\nprint('new')\n")
        run(board, project)
        board.wait_for_log("\nnew\n")


def test_if_the_old_version_fails_too_there_is_safe_mode(board, project, lib_form):
    (project / "lib" / "demo" / "application.py").write_text("1 / 0\n")
    run(board, project, wait=0)
    board.wait_for_log("trial-1 of 3")
    old = board.flash / "update" / "old" / "lib" / "demo" / f"application{lib_form.suffix}"
    assert old.exists()
    old.write_text("broken as well")
    board.wait_for_log(r"rolling back(.*\n)*safe mode(.*\n)*.*access point(.*\n)*>>> $")
    assert board.exec("import network; print(network.WLAN(1).active())") == "True\n"


def test_power_cycles_do_not_roll_back_a_new_version(board, project):
    (project / "lib" / "demo" / "application.py").write_text(
        (project / "lib" / "demo" / "application.py").read_text() + "\nprint('new')\n"
    )
    run(board, project, wait=0)
    for _ in range(5):
        position = board.log_position
        board.power_cycle()
        board.wait_for_log("trial-1 of 3", since=position)
    confirm(board, position)


def test_deploying_over_usb_ends_a_trial(board, project):
    (project / "lib" / "demo" / "application.py").write_text("1 / 0\n")
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    assert put(client, "/main.py", b"# other\n") == 0
    assert ask(client, "commit", 60) == 0
    client.close()
    board.wait_for_log("trial-1 of 3")
    shutil.copy(
        ROOT / "lib" / "demo" / "application.py", project / "lib" / "demo" / "application.py"
    )
    deploy(Options(port=board.serial, root=project))
    assert state(board) == []
    assert (board.flash / "main.py").read_bytes() == (ROOT / "main.py").read_bytes()


def test_with_little_heap_an_update_works_or_is_refused(new_board, project, capsys):
    with new_board(config=CONFIG, heap="112k") as board:
        board.wait_ready()
        demo = project / "lib" / "demo" / "application.py"
        demo.write_text(demo.read_text() + "\nprint('the new version')\n")
        try:
            run(board, project)
        except Failure as failure:
            assert "memory" in str(failure) or "1011" in str(failure), board.log
            assert "the new version" not in board.log
        else:
            assert "ready: the new version serves" in capsys.readouterr().out
