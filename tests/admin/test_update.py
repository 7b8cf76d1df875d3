"""OTA updates: `make deploy HOST=...` through the board's own server."""

import hashlib
import hmac
import json
import random
import re
import shutil
import socket
import time
from pathlib import Path

import pytest
import websocket

from tests.conftest import FORMS, need_chip_heap
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
    for name in ("confirm", "update"):
        path = folder / "lib" / "admin" / f"{name}.py"
        speed_up(path, "_PROVEN = const(10000)", "const(300)")
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
    """A running board with the files of `project`. The parameter: sections of config, and heap."""
    config = {"heap": "192k", **CONFIG, **getattr(request, "param", {})}
    with new_board(config.pop("heap"), config=config) as board:
        board.wait_ready()
        yield board


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr(wifi, "_PROOF", 3)


def is_source(board):
    """Return whether a board's lib/ is source. Updates never replace this file."""
    return "/lib/failsafe/rollback.py" in board.files()


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
    inside = ("/lib/", "/www/", "/boot.py", "/main.py")
    return {path: data for path, data in board.files().items() if path.startswith(inside)}


def freshly_made(board, project):
    """Return firmware_of() a new board with `project`, in the form that this board has."""
    with VirtualBoard(root=project, source=is_source(board)) as fresh:
        return firmware_of(fresh)


def state(board):
    """Return the names of the update's state files."""
    names = [path.split("/")[2:] for path in board.files() if path.startswith("/update/")]
    return sorted(name[0] for name in names if len(name) == 1)


def raw(board):
    """Return a client of /update; its `about` is the board's description."""
    client = websocket.create_connection(
        board.ws_url("/update"), timeout=10, header=[f"Authorization: Bearer {PASSWORD}"]
    )
    client.about = json.loads(client.recv())
    client.lines = ""
    return client


def ask(client, *command):
    """Send a command and return the answer. A commit gets the HMAC of what was accepted."""
    if command[0] == "commit" and len(command) == 2:
        command = (*command, sign(f"{client.lines}commit {command[1]}\n"))
    client.send(json.dumps(command))
    answer = json.loads(client.recv())
    if command[0] == "file" and answer == 0:
        client.lines += "file {2} {3} {1}\n".format(*command)
    if command[0] == "remove" and answer == 0:
        client.lines += f"remove {command[1]}\n"
    return answer


def sign(lines, password=PASSWORD):
    return hmac.new(password.encode(), lines.encode(), "sha256").hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def put(client, path, content):
    """Send a file and return the last answer."""
    answer = ask(client, "file", path, len(content), sha256(content))
    if content and answer == 0:
        client.send_binary(content)
        answer = json.loads(client.recv())
    return answer


def begin(client):
    while ask(client, "begin") < 0:
        pass
    client.lines = f"esp32-ws update 1 {ask(client, 'nonce')}\n"


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
    # With the certificates the board has TLS, at a port that these tests do not know.
    changed = {"wifi": {"ssid": "other"}, "access": {"maintenance_tls": False}}
    new.write_text(json.dumps({**CONFIG, **changed}))
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


def test_with_a_certificate_nothing_is_sent_unencrypted(
    new_board, project, certs, tmp_path, capsys
):
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


def test_a_board_without_a_slot_or_memory_for_tls_is_named(new_board, project, certs, trust):
    config = {**CONFIG, "tls": {"max_clients": 1, "reserved": 0}}
    with new_board(config=config, certs=certs) as board:
        board.wait_for_log("serving .* and wss://")
        with (
            socket.create_connection(("localhost", board.https_port), 10) as plain,
            trust.wrap_socket(plain, server_hostname="localhost"),
            pytest.raises(Failure, match="no slot or no memory for another TLS connection"),
        ):
            host = f"wss://localhost:{board.https_port}"
            deploy(Options(host=host, ca=certs / "ca.pem", root=project))
        board.wait_for_log("max_tls is 1")


def test_a_full_update_with_a_certificate_does_not_grow_the_heap(new_board, project, certs):
    """Neither while it is received nor on trial: TLS would lose memory until the next restart."""
    need_chip_heap()
    config = {"admin": {"password": PASSWORD}}
    with new_board("chip", config=config, certs=certs) as board:
        board.wait_for_log("and wss://")
        position = board.log_position
        for path in (project / "lib").rglob("*.py"):
            path.write_text("\n\n\n" + path.read_text())  # moves the numbers of lines
        host = f"wss://localhost:{board.https_port}"
        rest = {"wait": 20, "root": project, **lib_as_on(board)}
        deploy(Options(host=host, ca=certs / "ca.pem", **rest))
        log = board.log[position:]
        assert "the heap has grown" not in log.split("update: installing")[0]
        assert log.count("the heap has grown") == 1, log  # at the start of the new version


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
        with pytest.raises(Failure, match="is not an address"):
            deploy(Options(host=host, root=project))


def test_only_deployable_paths_can_be_written(board):
    client = raw(board)
    begin(client)
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
    for nonsense in ("", "5", "[]", "{}", '{"hash": []}', '["fly"]', '["file"]', '["hash"]', "["):
        client.send(nonsense)
        assert json.loads(client.recv())["error"].startswith("the commands are"), nonsense
    client.send_binary(b"content of no file")
    assert "error" in json.loads(client.recv())
    assert not (board.flash / "update").exists()


def test_deep_json_does_not_let_the_heap_grow(new_board):
    need_chip_heap()
    with new_board("chip", config=CONFIG) as board:
        board.wait_ready()
        client = raw(board)
        grown = board.heap.grown
        client.send("[" * 4000)
        assert json.loads(client.recv())["error"].startswith("the commands are")
        assert board.heap.grown == grown


def test_damaged_content_is_refused_and_not_installed(board):
    client = raw(board)
    begin(client)
    digest = sha256(b"other")
    assert ask(client, "file", "/www/x", 5, digest) == 0
    client.send_binary(b"wrong")
    assert "was damaged" in json.loads(client.recv())["error"]
    assert "/www/x is not complete" in ask(client, "commit", 60)["error"]
    assert put(client, "/www/x", b"right") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    client.close()
    confirm(board, position)
    assert (board.flash / "www" / "x").read_bytes() == b"right"


def test_an_update_of_many_long_names_does_not_run_out_of_memory(board):
    paths = [f"/www/{number}{'x' * 180}" for number in range(50)]
    for path in paths[:2]:
        (board.flash / path[1:]).write_text("old")
    client = raw(board)
    begin(client)
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
    assert ask(first, "file", "/www/x", 5, sha256(b"right")) == 0
    assert "begin" in ask(second, "file", "/www/x", 1, "00")["error"]
    begin(second)
    assert first.recv_data() == (8, b"\x03\xf0another client has taken over the update")
    assert put(second, "/www/x", b"right") == 0


@pytest.mark.parametrize("content", [b"long", b"longed"], ids=["incomplete", "damaged"])
def test_a_file_sent_again_but_not_whole_is_not_installed(board, content):
    client = raw(board)
    begin(client)
    assert put(client, "/www/x", b"whole") == 0
    assert ask(client, "file", "/www/x", 6, sha256(b"longer")) == 0
    client.send_binary(content)
    client.recv()
    assert put(client, "/www/y", b"whole") == 0
    assert ask(client, "commit", 60) == {"error": "/www/x is not complete"}
    assert ask(client, "remove", "/www/x") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert (board.flash / "www" / "y").exists()
    assert not (board.flash / "www" / "x").exists()


def test_the_memory_of_an_update_is_that_of_its_paths(board):
    client = raw(board)
    begin(client)
    for number in range(1200):
        assert ask(client, "remove", f"/www/removed-{number}") == 0
    client.close()


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
    commit = ["commit", 60, sign(client.lines + "commit 60\n")]
    commands = (commit, ["file", "/www/x", 0, ""], ["remove", "/www/x"], ["begin"])
    for command in commands:  # sent at once: the board restarts soon
        client.send(json.dumps(command))
    answers = [json.loads(client.recv()) for _ in commands]
    assert answers[0] == 0
    assert all("the board restarts" in answer["error"] for answer in answers[1:])
    confirm(board, position)
    assert (board.flash / "www" / "x").read_bytes() == b"whole"


# --- the HMAC


def test_the_hmac_covers_every_command_and_works_once(board):
    client = raw(board)
    begin(client)
    lines = client.lines
    for path in ("/www/x", "/www/y"):
        assert put(client, path, b"whole") == 0
    assert ask(client, "remove", "/www/index.html.gz") == 0
    nonce, x, y, removal = client.lines.splitlines(keepends=True)
    assert lines == nonce
    right = sign(client.lines + "commit 60\n")
    others = (lines, x + y + removal, nonce + y + x + removal, nonce + x + y, nonce + x + removal)
    wrong = [
        *(None, 5, "", right.upper(), sign(client.lines + "commit 61\n")),
        sign(client.lines + "commit 60\n", "another horse"),
        *(sign(text + "commit 60\n") for text in others),
    ]
    for given in wrong:
        assert "the HMAC is wrong" in ask(client, "commit", 60, given)["error"], given
        assert "begin" in ask(client, "commit", 60, right)["error"]  # the nonce is used up
        begin(client)
        for path in ("/www/x", "/www/y"):
            assert put(client, path, b"whole") == 0
        assert ask(client, "remove", "/www/index.html.gz") == 0
        right = sign(client.lines + "commit 60\n")
    assert state(board) == []
    assert not (board.flash / "www" / "x").exists()
    board.wait_for_log("update: refused, its HMAC is wrong")
    position = board.log_position
    assert ask(client, "commit", 60, right) == 0
    confirm(board, position)
    assert (board.flash / "www" / "x").exists()


def test_a_second_nonce_discards_what_was_announced_before_it(board):
    (board.flash / "www" / "old").write_text("old")
    client = raw(board)
    begin(client)
    assert put(client, "/www/evil", b"evil") == 0
    assert ask(client, "remove", "/www/old") == 0
    assert ask(client, "file", "/www/open", 4, sha256(b"open")) == 0
    assert "is discarded" in ask(client, "nonce")["error"]
    client.send_binary(b"open")
    assert "unexpected content" in json.loads(client.recv())["error"]
    for command in (["nonce"], ["file", "/www/x", 0, sha256(b"")], ["commit", 60]):
        assert "'begin' comes first" in ask(client, *command)["error"]
    begin(client)
    assert put(client, "/www/good", b"good") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert (board.flash / "www" / "good").exists()
    assert not (board.flash / "www" / "evil").exists()
    assert (board.flash / "www" / "old").exists()


def test_a_wrong_hmac_discards_the_update(board):
    client = raw(board)
    begin(client)
    assert put(client, "/www/evil", b"evil") == 0
    assert "the HMAC is wrong" in ask(client, "commit", 60, sign("nothing"))["error"]
    for command in (["commit", 60], ["nonce"], ["remove", "/www/x"]):
        assert "'begin' comes first" in ask(client, *command)["error"]
    begin(client)
    assert put(client, "/www/good", b"good") == 0
    position = board.log_position
    assert ask(client, "commit", 60) == 0
    confirm(board, position)
    assert not (board.flash / "www" / "evil").exists()


def test_sizes_seconds_and_hashes_of_a_wrong_kind_are_refused(board):
    client = raw(board)
    begin(client)
    right = sha256(b"")
    for size in (1.5, -5, "10", True, None, [0]):
        answer = ask(client, "file", "/www/x", size, right)
        assert answer == {"error": "size: must be a whole number, 0 or more"}, size
    for digest in ("", "00", right[1:], right + "0", right.upper(), "g" + right[1:], 5, None):
        answer = ask(client, "file", "/www/x", 0, digest)
        assert answer == {"error": "hash: must be 64 hex digits in lower case"}, digest
    for digest in (["0"] * 64, "\n" + right[1:], "é" * 32):
        assert "hash" in ask(client, "file", "/www/x", 0, digest)["error"], digest
    assert "the flash is full" in ask(client, "file", "/www/y", 100_000_000, right)["error"]
    assert ask(client, "remove", "/www/y") == 0
    for seconds in (1.5, -5, 0, 901, "10", True, None):
        answer = ask(client, "commit", seconds, sign(""))
        assert answer == {"error": "seconds: must be a whole number from 1 to 900"}, seconds


def test_an_update_of_a_host_without_hmac_is_refused_at_once(board):
    client = raw(board)
    while ask(client, "begin") < 0:
        pass
    for command in (["file", "/www/x", 1, "00"], ["remove", "/www/x"], ["commit", 60]):
        assert "use newer tools" in ask(client, *command)["error"]


def test_a_board_without_hmac_is_updated_by_these_tools(new_board, project, capsys):
    path = project / "lib" / "admin" / "update.py"
    text = path.read_text()
    older = text.replace('"hmac": _HMAC,', "").replace("if not self._signed:", "if False:")
    older = older.replace("self._signed.update", "len").replace("self._check(", "len((")
    assert len(text) - len(older) > 40
    path.write_text(older.replace("len((seconds, mac)", "len((seconds, mac))"))
    with new_board(config=CONFIG) as board:
        board.wait_ready()
        path.write_text(text)
        run(board, project)
        assert "ready: the new version serves" in capsys.readouterr().out
        assert raw(board).about["hmac"] == 1


def test_a_board_with_another_kind_of_hmac_gets_nothing(new_board, project):
    speed_up(project / "lib" / "admin" / "update.py", "_HMAC = const(1)", "const(2)")
    with new_board(config=CONFIG) as board:
        board.wait_ready()
        change(project)
        with pytest.raises(Failure, match="checks updates in another way"):
            run(board, project)
        assert state(board) == []


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
        crash_log = (board.flash / "crash.log").read_text()
        assert "not confirmed within" in crash_log
        # By the start: the version that failed may lack the memory for a note.
        assert "update: it failed: rolling back" in crash_log


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


def cut_power(board, project, chance, text):
    """Send a version, and cut the power four times after `text`. Return the last log position."""
    position = board.log_position
    run(board, project, wait=0)
    for _ in range(4):
        board.wait_for_log(text, since=position)
        time.sleep(chance.random() * 0.05)
        position = board.log_position
        board.power_cycle()
    return position


def install_with_power_cuts(board, project, times):
    """Install versions, with four power cuts during each installation."""
    chance = random.Random(SEED)
    for number in range(times):
        for path in (project / "lib").rglob("*.py"):
            path.write_text(path.read_text() + f"\nNEW = {number}\n")
        position = cut_power(board, project, chance, "update: (installing|trial)")
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
        position = cut_power(board, project, chance, "rolling back|serving")
        board.wait_for_log("serving", since=position)
        assert firmware_of(board) == before, f"seed {SEED}"
        (project / "lib" / "demo" / "application.py").write_text(good)


@pytest.fixture(params=[False, True], ids=["folder", "littlefs"])
def either_board(new_board, request):
    """A running board whose flash is a folder, or a littlefs image."""
    # All modules are replaced: a start reads their list in one piece. It fits into 192k, too.
    with new_board("208k", config=CONFIG, littlefs=request.param) as board:
        board.wait_ready()
        yield board


def test_power_cuts_during_installation_are_recovered(either_board, project):
    install_with_power_cuts(either_board, project, times=1)


def test_power_cuts_during_rollback_are_recovered(either_board, project):
    roll_back_with_power_cuts(either_board, project, times=1)


# --- versions that do not work


def long(*values):
    return pytest.param(*values, marks=pytest.mark.faults)


# An update that replaces all compiled modules by their source needs more heap.
@pytest.mark.parametrize("board", [{"watchdog": {"timeout": 1}, "heap": "256k"}], indirect=True)
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
    begin(client)
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
    with new_board(config=CONFIG, heap="116k") as board:
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
