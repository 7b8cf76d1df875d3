"""make deploy HOST=...: over Wi-Fi, through the board's own server."""

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
from tools.deploy import remote, wireless
from tools.deploy.__main__ import deploy, parse
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse"
CONFIG = {"broadcast": {"interval": 0}, "admin": {"password": PASSWORD}}
SEED = random.randrange(1 << 30)
SYNTAX_ERROR = "x = (\n"
# A start that hangs once it serves.
HANGS = """
from wsserver import Server

def build(server, *arguments):
    server.after(100, hang)

def hang():
    while True:
        pass
"""


@pytest.fixture
def project(tmp_path):
    """The repository's files for a board, to be changed. A start has succeeded after 0.3 s."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("lib", "www"):
        shutil.copytree(ROOT / name, folder / name)
    trial = folder / "lib" / "trial.py"
    text = trial.read_text()
    assert "_PROVEN = const(10000)" in text
    trial.write_text(text.replace("_PROVEN = const(10000)", "_PROVEN = const(300)"))
    return folder


@pytest.fixture
def new_board(project, request, lib_form):
    """new_board(heap=..., ...) -> a board with all of `project`, to be entered. Its lib/ is what
    `make deploy` would copy there: source where the tests are for that, or else compiled.
    """
    if request.config.getoption("--board"):
        pytest.skip("needs a virtual board of its own, and the tests are for a real one")
    source = lib_form == FORMS["source"]

    def new(heap="128k", **arguments):
        heap = lib_form.heap(heap)
        return VirtualBoard(root=project, heap=heap, source=source, **arguments)

    return new


@pytest.fixture
def board(new_board, request):
    """A board that has all of `project`, and serves."""
    with new_board(config={**CONFIG, **getattr(request, "param", {})}) as board:
        board.wait_ready()
        yield board


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr(wireless, "_PROOF", 3)


def is_source(board):
    """Whether a board's lib/ is: updates leave this file alone."""
    return (board.flash / "lib" / "recovery.py").exists()


def lib_as_on(board):
    """deploy's options for the form of lib/ that a board has."""
    return ["--source"] if is_source(board) else []


def run(board, project, *options):
    """Deploy, in the form that the board has; Failure where it fails."""
    host = ["--host", f"127.0.0.1:{board.http_port}", "--ca", str(project / "none")]
    options = [*lib_as_on(board), *map(str, options)]
    deploy(parse([*host, "--root", str(project), "--wait", "5", *options]))


def firmware_of(board):
    """{path: content} of the firmware on a board's flash."""
    files = {}
    for folder in ("lib", "www", "boot.py", "main.py"):
        top = board.flash / folder
        paths = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        files.update({f"/{path.relative_to(board.flash)}": path.read_bytes() for path in paths})
    return files


def freshly_made(board, project):
    """What firmware_of() a board like this with `project` is."""
    with VirtualBoard(root=project, source=is_source(board)) as fresh:
        return firmware_of(fresh)


def state(board):
    """The names of what an update is waiting for."""
    folder = board.flash / "update"
    return sorted(path.name for path in folder.glob("*") if path.is_file())


def raw(board):
    """A client of /update that has been told what the board is."""
    client = websocket.create_connection(
        board.ws_url("/update"), timeout=10, header=[f"Authorization: Bearer {PASSWORD}"]
    )
    client.about = json.loads(client.recv())
    return client


def ask(client, *order):
    client.send(json.dumps(order))
    return json.loads(client.recv())


def put(client, path, content):
    """Send a file; returns the last answer."""
    answer = ask(client, "file", path, len(content), hashlib.sha256(content).hexdigest())
    if content and answer == 0:
        client.send_binary(content)
        answer = json.loads(client.recv())
    return answer


# --- what is copied


def test_only_what_changed_is_sent_and_the_new_version_serves(board, project, lib_form, capsys):
    (project / "lib" / "extra.py").write_text("value = 1\n")
    (project / "www" / "more").mkdir()
    (project / "www" / "more" / "page.html").write_text("more")
    run(board, project)
    assert (board.flash / "www" / "more" / "page.html").read_text() == "more"
    secrets = (board.flash / "secrets.json").read_bytes()
    settings = (board.flash / "config.json").read_bytes()
    (project / "lib" / "extra.py").unlink()
    demo = project / "lib" / "demo.py"
    demo.write_text(demo.read_text() + "\nprint('the new version')\n")
    (project / "config.json").write_text("{}")
    capsys.readouterr()
    run(board, project)
    output = capsys.readouterr().out
    assert f"[1/2] /lib/demo{lib_form.suffix}" in output
    assert re.search(r"2 files copied, 1 removed, \d+ unchanged; restarting", output)
    assert "ready: the new version serves" in output
    board.wait_for_log("the new version")
    assert not (board.flash / "lib" / f"extra{lib_form.suffix}").exists()
    assert (board.flash / "secrets.json").read_bytes() == secrets
    assert (board.flash / "config.json").read_bytes() == settings
    assert state(board) == []
    assert firmware_of(board) == freshly_made(board, project)


def test_what_has_not_changed_is_neither_sent_nor_a_reason_to_restart(board, project, capsys):
    pid = board.pid
    run(board, project)
    assert re.search(r"0 files copied, 0 removed, \d+ unchanged", capsys.readouterr().out)
    assert board.pid == pid


def test_settings_and_certificates_are_replaced_when_told_to(board, project):
    new = project / "new.json"
    new.write_text(json.dumps({**CONFIG, "wifi": {"ssid": "other"}}))
    (project / "certs").mkdir()
    (project / "certs" / "server.key.der").write_text("mine")
    run(board, project, "--config", new, "--certs")
    assert (board.flash / "config.json").read_text() == new.read_text()
    assert (board.flash / "certs" / "server.key.der").read_text() == "mine"


def test_what_would_bring_the_old_version_back_is_not_replaced(board, project, lib_form, capsys):
    before = firmware_of(board)
    for path in ("boot.py", "lib/recovery.py", "lib/watchdog.py"):
        (project / path).write_text((project / path).read_text() + "\nprint('other')\n")
    run(board, project)
    output = capsys.readouterr()
    names = ", ".join(f"/lib/{name}{lib_form.suffix}" for name in ("recovery", "watchdog"))
    assert f"/boot.py, {names}: not as here" in output.err
    assert "0 files copied, 0 removed" in output.out
    assert firmware_of(board) == before


def test_with_a_certificate_nothing_is_sent_unencrypted(new_board, project, tmp_path, capsys):
    certs = tmp_path / "certs"
    assert cli.main(["--folder", str(certs)]) == 0
    with new_board(config=CONFIG, certs=certs) as board:
        board.wait_for_log("serving")
        host = f"wss://localhost:{board.https_port}"
        rest = ["--root", str(project), *lib_as_on(board)]
        deploy(parse(["--host", host, "--ca", str(certs / "ca.pem"), *rest]))
        assert f"{host}/update: MicroPython" in capsys.readouterr().out
        assert cli.main(["--folder", str(tmp_path / "other")]) == 0
        other = str(tmp_path / "other" / "ca.pem")
        with pytest.raises(Failure, match="the board's certificate is not one of"):
            deploy(parse(["--host", host, "--ca", other, *rest]))


# --- who and what gets in


def test_a_wrong_password_is_told(board, project, monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", "wrong horse")
    with pytest.raises(Failure, match="the admin's password is wrong"):
        run(board, project)


@pytest.mark.parametrize("board", [{"admin": {"enabled": False}}], indirect=True)
def test_a_board_whose_admin_is_off_takes_no_updates(board, project):
    with pytest.raises(Failure, match="it takes no updates"):
        run(board, project)


def test_an_address_where_nobody_is_and_one_that_is_none_are_told(board, project):
    board.stop()
    with pytest.raises(Failure, match="no board answers there"):
        run(board, project)
    for host in ("http://192.168.4.1", "192.168.4.1:port", "ws://192.168.4.1/ws"):
        with pytest.raises(Failure, match="is no address"):
            deploy(parse(["--host", host, "--root", str(project)]))


def test_only_what_can_be_deployed_can_be_written(board):
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    refused = [
        *("/boot.py", "/lib/recovery.mpy", "/lib/watchdog.py", "/secrets.json", "/crash.log"),
        *("/lib/../boot.py", "/lib/./x", "/www//x", "/lib/", "lib/x", "/", "", "/www/.hidden"),
        *("/certs/ca.key", "/certs/x/y.der", "/update/todo", "/www/a\\b", "/www/a\nb", "/tmp/x"),
        *("/www/" + "x" * 300, 5, None),
    ]
    for path in refused:
        assert "error" in ask(client, "file", path, 1, "00"), path
        assert "error" in ask(client, "remove", path), path
    assert "error" in ask(client, "read", "/secrets.json", 0)
    assert "error" in ask(client, "hash", "/secrets.json")
    assert "error" in ask(client, "file", "/www/x", 100_000_000, "00")
    for nonsense in ("", "[]", "5", "{}", '["fly"]', '["file"]', "["):
        client.send(nonsense)
        assert "error" in json.loads(client.recv()), nonsense
    client.send_binary(b"content of no file")
    assert "error" in json.loads(client.recv())
    assert not (board.flash / "update").exists()


def test_content_that_is_damaged_is_refused_and_not_installed(board):
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    digest = hashlib.sha256(b"other").hexdigest()
    assert ask(client, "file", "/www/x", 5, digest) == 0
    client.send_binary(b"wrong")
    assert "did not arrive" in json.loads(client.recv())["error"]
    assert ask(client, "file", "/www/y", 5, digest) == 0
    assert "not complete" in ask(client, "commit", 60)["error"]
    assert put(client, "/www/y", b"right") == 0
    assert ask(client, "commit", 60) == 0
    client.close()
    board.wait_for_log("this start has succeeded")
    assert (board.flash / "www" / "y").read_bytes() == b"right"
    assert not (board.flash / "www" / "x").exists()


def test_an_update_of_many_files_with_long_names_does_not_want_for_memory(board):
    paths = [f"/www/{number}{'x' * 180}" for number in range(50)]
    for path in paths[:2]:
        (board.flash / path[1:]).write_text("old")
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    assert put(client, paths[0], b"new") == 0
    for path in paths[1:]:
        assert ask(client, "remove", path) == 0
    assert ask(client, "commit", 60) == 0
    client.close()
    board.wait_for_log("this start has succeeded")
    assert (board.flash / paths[0][1:]).read_bytes() == b"new"
    assert not (board.flash / paths[1][1:]).exists()


def test_one_update_at_a_time(board):
    first, second = raw(board), raw(board)
    assert ask(first, "begin") > 0
    assert "another update is under way" in ask(second, "begin")["error"]
    assert "begin" in ask(second, "file", "/www/x", 1, "00")["error"]
    first.close()
    end = time.monotonic() + 5
    while not isinstance(ask(second, "begin"), int):
        assert time.monotonic() < end


# --- cut off


def test_an_update_that_was_cut_off_changes_nothing_and_the_next_one_is_whole(board, project):
    before = firmware_of(board)
    chance = random.Random(SEED)
    for path in (project / "lib").glob("*.py"):
        path.write_text(path.read_text() + "\nNEW = 1\n")
    for _ in range(3):
        left = chance.randrange(1, 20)
        send = remote.Remote._send

        def until(self, message, send=send):
            nonlocal left
            if isinstance(message, bytes):
                left -= 1
                if not left:
                    self._socket.shutdown()
                    raise remote.Unreachable("cut off")
            send(self, message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(remote.Remote, "_send", until)
            with pytest.raises(Failure, match="cut off"):
                run(board, project)
        assert firmware_of(board) == before, f"seed {SEED}"
    board.power_cycle()
    board.wait_ready()
    assert firmware_of(board) == before, f"seed {SEED}"
    run(board, project)
    kept = {path: data for path, data in before.items() if path.startswith(wireless.FIXED)}
    assert firmware_of(board) == {**freshly_made(board, project), **kept}, f"seed {SEED}"


def install_with_power_cuts(board, project, times):
    """Install so many versions, with four power cuts in each installation."""
    chance = random.Random(SEED)
    for number in range(times):
        for path in (project / "lib").rglob("*.py"):
            path.write_text(path.read_text() + f"\nNEW = {number}\n")
        position = board.log_position
        run(board, project, "--wait", "0")
        board.wait_for_log("update: installing", since=position)
        for _ in range(4):
            time.sleep(chance.random() * 0.02)
            board.power_cycle()
        board.wait_for_log("this start has succeeded", since=position)
        new, there = freshly_made(board, project), firmware_of(board)
        changed = {path for path in new if new[path] != there.get(path)}
        assert all(path.startswith(wireless.FIXED) for path in changed), f"seed {SEED}"
        assert there.keys() == new.keys(), f"seed {SEED}"


def take_back_with_power_cuts(board, project, times):
    """Send so many versions that do not start, with four power cuts while each is taken back."""
    chance = random.Random(SEED)
    good = (project / "lib" / "demo.py").read_text()
    before = firmware_of(board)
    for _ in range(times):
        for path in (project / "lib").rglob("*.py"):
            path.write_text(path.read_text() + "\nNEW = 1\n")
        (project / "lib" / "demo.py").write_text("1 / 0\n")
        position = board.log_position
        run(board, project, "--wait", "0")
        board.wait_for_log("taking it back", since=position)
        for _ in range(4):
            time.sleep(chance.random() * 0.02)
            position = board.log_position
            board.power_cycle()
        board.wait_for_log("serving", since=position)
        assert firmware_of(board) == before, f"seed {SEED}"
        (project / "lib" / "demo.py").write_text(good)


def test_the_power_may_fail_at_any_moment_of_the_installation(board, project):
    install_with_power_cuts(board, project, times=1)


def test_the_power_may_fail_at_any_moment_of_taking_a_version_back(board, project):
    take_back_with_power_cuts(board, project, times=1)


# --- versions that do not work


def long(*values):
    return pytest.param(*values, marks=pytest.mark.faults)


@pytest.mark.parametrize("board", [{"watchdog": {"timeout": 1}}], indirect=True)
@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("lib/demo.py", "1 / 0\n", "ZeroDivisionError"),
        ("lib/demo.py", HANGS, "the watchdog restarted the board"),
        ("main.py", SYNTAX_ERROR, "the watchdog restarted the board"),
        long("lib/demo.py", SYNTAX_ERROR, "SyntaxError"),
        long("lib/wifi.py", "import nonsense\n", "nonsense"),
        long("lib/updates.py", "import nonsense\n", "nonsense"),
    ],
)
def test_a_version_that_does_not_work_is_taken_back(board, project, capsys, path, content, told):
    before = firmware_of(board)
    (project / path).write_text(content)
    (project / "lib" / "added.py").write_text("")
    (project / "lib" / "wsserver" / "heap.py").unlink()
    source = ["--source"] if path == "lib/demo.py" and content == SYNTAX_ERROR else []
    with pytest.raises(Failure, match="the board runs the one before it again"):
        run(board, project, "--wait", 3, *source)
    assert told in capsys.readouterr().out
    assert firmware_of(board) == before
    assert not list(board.flash.glob("failed-*"))


@pytest.mark.faults
def test_after_a_version_that_was_taken_back_the_next_finds_nothing_in_its_way(board, project):
    good = (project / "lib" / "demo.py").read_text()
    for _ in range(2):
        (project / "lib" / "demo.py").write_text("1 / 0\n")
        with pytest.raises(Failure, match="the board runs the one before it again"):
            run(board, project)
        (project / "lib" / "demo.py").write_text(good + "\nprint('new')\n")
        run(board, project)
        board.wait_for_log("\nnew\n")


def test_when_the_version_before_it_does_not_start_either_there_is_safe_mode(
    board, project, lib_form
):
    (project / "lib" / "demo.py").write_text("1 / 0\n")
    run(board, project, "--wait", 0)
    board.wait_for_log("trial-1 of 3")
    old = board.flash / "update" / "old" / "lib" / f"demo{lib_form.suffix}"
    assert old.exists()
    old.write_text("broken as well")
    board.wait_for_log(r"taking it back(.*\n)*safe mode(.*\n)*.*access point(.*\n)*>>> $")
    assert board.exec("import network; print(network.WLAN(1).active())") == "True\n"


def test_a_new_version_that_is_switched_off_and_on_is_not_taken_back(board, project):
    (project / "lib" / "demo.py").write_text(
        (project / "lib" / "demo.py").read_text() + "\nprint('new')\n"
    )
    run(board, project, "--wait", 0)
    for _ in range(5):
        position = board.log_position
        board.power_cycle()
        board.wait_for_log("trial-1 of 3", since=position)
    board.wait_for_log("this start has succeeded: /update/trial-1")


def test_deploying_over_usb_ends_what_an_update_has_begun(board, project):
    (project / "lib" / "demo.py").write_text("1 / 0\n")
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    assert put(client, "/main.py", b"# other\n") == 0
    assert ask(client, "commit", 60) == 0
    client.close()
    board.wait_for_log("trial-1 of 3")
    shutil.copy(ROOT / "lib" / "demo.py", project / "lib" / "demo.py")
    deploy(parse(["--port", board.serial, "--root", str(project)]))
    assert state(board) == []
    assert (board.flash / "main.py").read_bytes() == (ROOT / "main.py").read_bytes()


def test_with_little_heap_an_update_works_or_is_refused_for_want_of_memory(
    new_board, project, capsys
):
    with new_board(config=CONFIG, heap="64k") as board:
        board.wait_ready()
        demo = project / "lib" / "demo.py"
        demo.write_text(demo.read_text() + "\nprint('the new version')\n")
        try:
            run(board, project)
        except Failure as failure:
            assert "no memory" in str(failure)  # "for updates", or before it could say so
            assert "the new version" not in board.log
        else:
            assert "ready: the new version serves" in capsys.readouterr().out
