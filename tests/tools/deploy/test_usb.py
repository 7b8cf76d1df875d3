"""make deploy: the real mpremote over a virtual board's serial port."""

import dataclasses
import functools
import gzip
import http.server
import json
import os
import random
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request

import pytest
import segno
import serial
import serial.rfc2217

from tests.tools import commands
from tools import ROOT, settings
from tools.board import join, qrcodes
from tools.board.session import Session
from tools.board.target import Target, ask
from tools.certs.cli import main as make_certs
from tools.deploy import build as building
from tools.deploy import mpycross, plan
from tools.deploy.deployment import Options, deploy
from tools.deploy.files import firmware
from tools.deploy.webpages import pack
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

SEED = random.randrange(1 << 30)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What a board's flash is to hold, as the virtual board fills it when it is new."""
    with VirtualBoard() as board:
        return contents(board)


@pytest.fixture
def project(tmp_path):
    """The repository's files for a board, to be changed."""
    for name in ("boot.py", "main.py"):
        (tmp_path / "project").mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "project" / name)
    for name in ("lib", "www"):
        shutil.copytree(ROOT / name, tmp_path / "project" / name)
    return tmp_path / "project"


@pytest.fixture
def empty_board(tmp_path):
    """A board that has MicroPython and nothing else."""
    (tmp_path / "nothing").mkdir()
    with VirtualBoard(root=tmp_path / "nothing") as board:
        yield board


@pytest.fixture
def full_board(project):
    """A board that has all of `project`, and serves."""
    with VirtualBoard(root=project) as board:
        board.wait_ready()
        yield board


def run(board, project, **options):
    """Deploy; Failure if it fails."""
    port = board if isinstance(board, str) else board.serial
    deploy(Options(port=port, root=project, **options))


def contents(board):
    """{path: content} of the firmware on a board's flash."""
    return {
        "/" + path.relative_to(board.flash).as_posix(): path.read_bytes()
        for path in board.flash.rglob("*")
        if path.is_file() and path.name not in ("deployed.json", "secrets.json", "crash.log")
    }


# --- what is copied


def test_everything_is_deployed_to_an_empty_board_and_it_serves(
    empty_board, project, built, capsys
):
    run(empty_board, project)
    output = capsys.readouterr().out
    assert contents(empty_board) == built
    assert f"{len(built)} files copied, 0 removed, 0 unchanged" in output
    assert "ready: http://192.168.4.1:80/ and ws://192.168.4.1:80/ws" in output
    with urllib.request.urlopen(empty_board.http_url, timeout=10) as page:
        assert page.read() == gzip.decompress(built["/www/index.html.gz"])


@pytest.mark.host
def test_what_has_not_changed_is_not_copied(full_board, project, capsys):
    run(full_board, project)
    before = {path: path.stat().st_ino for path in full_board.flash.rglob("*")}
    capsys.readouterr()
    run(full_board, project)
    assert re.search(r"\n0 files copied, 0 removed, \d+ unchanged", capsys.readouterr().out)
    assert {path: path.stat().st_ino for path in full_board.flash.rglob("*")} == before


@pytest.mark.host
def test_one_file_that_changed_is_the_only_one_to_be_copied(full_board, project, capsys):
    (project / "lib" / "demo" / "application.py").write_text(
        "def setup(board):\n    print('changed')\n"
    )
    capsys.readouterr()
    run(full_board, project)
    output = capsys.readouterr().out
    assert "[1/1] /lib/demo/application.mpy" in output
    assert re.search(r": MicroPython 1\.\S+, Virtual board with ESP32\n", output)
    assert "1 files copied, 0 removed" in output
    assert "  | changed\n" in output


@pytest.mark.host
def test_a_file_that_is_gone_here_is_removed_there_with_its_folder(full_board, project, capsys):
    (project / "www" / "more").mkdir()
    (project / "www" / "more" / "page.html").write_text("more")
    run(full_board, project)
    assert (full_board.flash / "www" / "more" / "page.html").read_text() == "more"
    shutil.rmtree(project / "www" / "more")
    run(full_board, project)
    assert "removing /www/more/page.html" in capsys.readouterr().out
    assert not (full_board.flash / "www" / "more").exists()


@pytest.mark.host
def test_files_that_were_not_deployed_stay(full_board, project):
    mine = {"/lib/umqtt/simple.py": b"# from mip", "/lib/sensor.mpy": b"M", "/data.txt": b"1"}
    for path, content in mine.items():
        file = full_board.flash / path[1:]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    (project / "www" / "index.html").write_text("changed")
    run(full_board, project)
    assert mine.items() <= contents(full_board).items()


@pytest.mark.host
def test_a_source_copied_by_hand_goes_because_it_would_hide_the_compiled_file(full_board, project):
    (full_board.flash / "lib" / "startup.py").write_text("old")
    run(full_board, project)
    assert not (full_board.flash / "lib" / "startup.py").exists()
    assert (full_board.flash / "lib" / "startup.mpy").exists()


def test_sources_can_be_deployed_instead_of_compiled_files(full_board, project):
    run(full_board, project, source=True)
    files = contents(full_board)
    assert files == pack({path: file.read_bytes() for path, file in firmware(project).items()})


@pytest.mark.host
def test_a_file_that_was_damaged_on_the_board_is_repaired(full_board, project, built):
    file = full_board.flash / "lib" / "wsserver" / "server.mpy"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    run(full_board, project)
    assert contents(full_board) == built


@pytest.mark.host
def test_older_settings_are_not_blamed_for_a_deployed_application(full_board, project, tmp_path):
    settings = '{"wifi": {"hostname": "changed"}}'
    (full_board.flash / "config.json").write_text(settings)
    (full_board.flash / "config.undo-600").write_text("{}")
    (tmp_path / "app.py").write_text("def setup(board):\n    1 / 0\n")
    with pytest.raises(Failure, match="the application does not start"):
        run(full_board, project, app=tmp_path / "app.py")
    assert "safe mode: 3 starts failed" in full_board.log
    assert (full_board.flash / "config.json").read_text() == settings
    assert [file.name for file in full_board.flash.glob("config.undo-*")] == ["config.undo-0600"]


# --- what is the board's own


@pytest.mark.host
def test_the_boards_settings_are_kept(full_board, project, capsys):
    (full_board.flash / "config.json").write_text('{"wifi": {"ssid": "mine"}}')
    (project / "config.json").write_text('{"wifi": {"ssid": "other"}}')
    run(full_board, project)
    assert json.loads((full_board.flash / "config.json").read_text())["wifi"]["ssid"] == "mine"
    assert "the board's config.json is kept" in capsys.readouterr().out


@pytest.mark.host
def test_a_board_without_settings_gets_those_that_are_here(full_board, project):
    (project / "config.json").write_text('{"wifi": {"ssid": "first"}}')
    run(full_board, project)
    assert (full_board.flash / "config.json").read_text() == '{"wifi": {"ssid": "first"}}'


@pytest.mark.host
def test_the_boards_settings_are_replaced_when_told_to(full_board, project):
    (full_board.flash / "config.json").write_text('{"wifi": {"ssid": "mine"}}')
    new = project / "new.json"
    new.write_text('{"wifi": {"ssid": "other"}}')
    (full_board.flash / "config.undo-600").write_text("{}")  # which would replace them later
    run(full_board, project, config=new)
    assert (full_board.flash / "config.json").read_text() == new.read_text()
    assert not list(full_board.flash.glob("config.undo-*"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[1]", r"the whole file: must be an object \{\.\.\.\}"),
        ('{"wifi": {"password": "short"}}', r"wifi\.password: must be a text of 8 to 63 bytes"),
        ('{"wlan": {}}', "wlan: unknown section; known are access, admin,"),
        ('{"wifi": {"pasword": ""}}', r"wifi\.pasword: unknown field; did you mean 'password'\?"),
        ('{"wfii": {}}', r"wfii: unknown section; did you mean 'wifi'\?"),
    ],
)
@pytest.mark.host
def test_settings_that_the_board_would_not_take_are_refused(tmp_path, text, problem):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(Failure, match=problem):
        run("/dev/none", ROOT, config=file)


@pytest.mark.host
def test_the_boards_certificates_are_kept_until_told_otherwise(full_board, project, capsys):
    folder = str(project / "certs")
    ours = project / "certs" / "server.crt.der"
    there = full_board.flash / "certs" / "server.crt.der"
    make_certs(["--folder", folder])
    first = ours.read_bytes()
    run(full_board, project)
    assert there.read_bytes() == first
    make_certs(["--folder", folder])
    run(full_board, project)
    assert there.read_bytes() == first
    assert "the board's certificates are kept" in capsys.readouterr().out
    run(full_board, project, certs=True)
    assert there.read_bytes() == ours.read_bytes() != first
    assert {path.name for path in there.parent.iterdir()} == {
        *("server.crt.der", "server.key.der", "clients.crt.der"),
    }
    capsys.readouterr()
    run(full_board, project)
    assert "are kept" not in capsys.readouterr().out, "they are the same"


@pytest.mark.host
def test_a_bad_certificate_is_not_sent_and_the_reason_is_told(full_board, project, capsys):
    (project / "certs").mkdir()
    (project / "certs" / "server.key.der").write_text("a key without its certificate")
    run(full_board, project)
    assert "your certificates are not sent: " in capsys.readouterr().out
    assert not (full_board.flash / "certs").exists()


def test_with_new_certificates_the_board_serves_https(full_board, project, capsys):
    assert make_certs(["--folder", str(project / "certs")]) == 0
    run(full_board, project, certs=True)
    assert "/ws; the same over TLS\n" in capsys.readouterr().out
    trusting = ssl.create_default_context(cafile=project / "certs" / "ca.pem")
    with urllib.request.urlopen(full_board.https_url, timeout=10, context=trusting) as page:
        assert page.status == 200
    assert {path.name for path in (full_board.flash / "certs").iterdir()} == {
        *("server.crt.der", "server.key.der", "clients.crt.der"),
    }


@pytest.mark.host
def test_certificates_that_were_never_made_are_told_before_anything_is_touched(project):
    with pytest.raises(Failure, match=r"no certificates in .*certs: make certs makes them"):
        run("/dev/none", project, certs=True)


@pytest.mark.host
def test_a_key_of_another_certificate_is_not_deployed(project, tmp_path):
    for folder in (project / "certs", tmp_path / "other"):
        make_certs(["--folder", str(folder)])
    other = (tmp_path / "other" / "server.key.der").read_bytes()
    (project / "certs" / "server.key.der").write_bytes(other)
    with pytest.raises(Failure, match="belongs to another certificate than server.crt.der"):
        run("/dev/none", project, certs=True)


# --- cut off


def deploying(board, project):
    arguments = ("deploy", "--port", board.serial, "--root", project)
    return commands.start(*arguments, stdout=subprocess.PIPE)


@pytest.mark.parametrize("how", ["the cable is pulled", "the power fails", "Ctrl-C"])
def test_what_was_cut_off_at_random_is_repaired_by_the_next_time(empty_board, project, built, how):
    chance = random.Random(f"{SEED} {how}")
    process = deploying(empty_board, project)
    for _ in range(chance.randrange(2, len(built) - 1)):  # lines of what is being copied
        process.stdout.readline()
    if how == "Ctrl-C":
        process.send_signal(2)
        assert process.wait(30) == 130
    else:
        if how == "the power fails":
            empty_board.power_cycle()
        process.kill()
        process.wait(30)
    process.stdout.close()
    assert contents(empty_board) != built, f"seed {SEED}: it was not cut off"
    run(empty_board, project)
    assert contents(empty_board) == built, f"seed {SEED}"


@pytest.mark.host
def test_what_was_deployed_and_cut_off_and_is_gone_since_is_removed(empty_board, project, built):
    extra = project / "lib" / "aaa.py"
    extra.write_text("value = 1\n")
    process = deploying(empty_board, project)
    while "/lib/admin/" not in process.stdout.readline():
        pass
    process.kill()
    process.wait(30)
    process.stdout.close()
    assert (empty_board.flash / "lib" / "aaa.mpy").exists()
    extra.unlink()
    run(empty_board, project)
    assert contents(empty_board) == built


# --- what goes wrong


@pytest.mark.host
def test_a_module_that_does_not_compile_is_told_and_nothing_is_copied(full_board, project, built):
    (project / "lib" / "startup.py").write_text("x = 1\ny = (\n")
    (project / "www" / "index.html").write_text("changed")
    with pytest.raises(Failure, match=r"startup\.py:\d: .*SyntaxError.*nothing was copied"):
        run(full_board, project)
    assert contents(full_board) == built


@pytest.mark.host
def test_a_program_that_ends_with_an_error_is_told_at_once(full_board, project, capsys):
    (project / "main.py").write_text("import nonsense\n")
    with pytest.raises(Failure, match="it does not serve: its output, above, shows why"):
        run(full_board, project)
    assert "  | ImportError: no module named 'nonsense'" in capsys.readouterr().out


@pytest.mark.host
def test_a_flash_that_is_too_small_is_told_before_anything_is_copied():
    todo = plan.make({"/lib/large.mpy": bytes(100_000)}, plan.Found({}, frozenset()))
    plan.check_space(todo, 112_000)
    with pytest.raises(Failure, match="has 97 KB free, and up to 108 KB are needed"):
        plan.check_space(todo, 100_000)


@pytest.mark.host
def test_the_flash_of_a_virtual_board_can_be_too_full(empty_board, project):
    (empty_board.flash / "data.bin").write_bytes(bytes(2 * 1024 * 1024 - 100_000))
    with pytest.raises(Failure, match=r"has (84|88) KB free, and up to \d+ KB are needed"):
        run(empty_board, project)


@pytest.mark.host
def test_a_flash_of_4_mb_has_space_for_an_update_of_all_files(built):
    """Its file system has 2 MB. What a board has been given once stays until the update serves."""
    everything = {
        path: data for path, data in built.items() if path.startswith(("/lib/", "/www/"))
    }
    todo = plan.make(everything, plan.Found({}, frozenset()))
    blocks = sum(-(-len(data) // 4096) for data in everything.values())
    free = (512 - blocks) * 4096 - 32768 - 150_000  # the spare of updates, folders
    plan.check_space(todo, free)


@pytest.mark.host
def test_a_board_that_falls_silent_is_told(empty_board, monkeypatch):
    monkeypatch.setattr("tools.board.session._ANSWER", 0.5)
    with (
        pytest.raises(Failure, match="the board stopped answering"),
        Session(empty_board.serial, patience=0.5) as session,
    ):
        session.run("import time; time.sleep(3)")


@pytest.mark.host
def test_a_port_where_nothing_answers_is_told_with_what_to_do():
    ours, theirs = os.openpty()
    port = os.ttyname(theirs)
    with (
        pytest.raises(Failure, match=r"Press the board's RESET button .* make flash PORT="),
        Session(port, patience=0.1, attempts=2),
    ):
        pass
    os.close(ours)
    os.close(theirs)


@pytest.mark.host
def test_a_micropython_that_is_too_old_is_told_but_deployed_to(
    full_board, project, monkeypatch, capsys
):
    def old(session):
        return dataclasses.replace(ask(session), chip="esp32", version="1.20.0")

    monkeypatch.setattr("tools.deploy.usb.ask", old)
    run(full_board, project)
    output = capsys.readouterr()
    assert "its MicroPython 1.20.0 is too old, 1.22.0 is needed: make flash" in output.err
    assert "ready: " in output.out


# --- compiled files


def target(arch, mpy_version=None):
    return Target(
        version="1.25.0",
        machine="a chip",
        chip="esp32",
        mpy_version=mpy_version or mpycross.format_version(),
        arch=arch,
        mac="",
        flash=0,
        psram=False,
        free=0,
    )


@pytest.mark.parametrize(("arch", "number"), [("x64", 2), ("xtensawin", 10), ("rv32imc", 11)])
def test_native_code_is_compiled_for_the_boards_cpu_and_the_rest_for_any(arch, number):
    files = building.build(firmware(ROOT), target(arch), source=False, warn=pytest.fail)
    modules = {path: data for path, data in files.items() if path.startswith("/lib/")}
    assert all(path.endswith(".mpy") for path in modules)
    cpus = {path: data[2] >> 2 & 15 for path, data in modules.items() if data[2] >> 2 & 15}
    native = ("core/buffers.mpy", "core/native.mpy", "core/protocol.mpy", "server.mpy")
    assert cpus == {"/lib/wsserver/" + name: number for name in native}


@pytest.mark.host
def test_a_board_without_native_code_gets_that_one_module_as_source():
    files = building.build(firmware(ROOT), target(""), source=False, warn=pytest.fail)
    sources = [path for path in files if path.startswith("/lib/") and path.endswith(".py")]
    assert sources == ["/lib/wsserver/core/native.py"]


@pytest.mark.parametrize("version", [(6, 2), (6, 3)])
@pytest.mark.host
def test_an_older_micropython_gets_what_the_compiler_of_its_time_makes(version):
    """Version 6.2 is MicroPython 1.22's, and 6.3 that of all from 1.23 on."""
    files = building.build(firmware(ROOT), target("xtensawin", version), False, warn=pytest.fail)
    assert not [path for path in files if path.startswith("/lib/") and path.endswith(".py")]
    native = files["/lib/wsserver/core/native.mpy"]
    assert (native[1], native[2] & 3) == version


@pytest.mark.host
def test_a_board_with_another_version_of_mpy_files_gets_source_after_a_warning():
    warnings = []
    files = building.build(firmware(ROOT), target("xtensawin", (5, 0)), False, warnings.append)
    assert not any(path.endswith(".mpy") for path in files)
    assert len(warnings) == 1
    assert "loads .mpy files of version 5.0, and mpy-cross makes" in warnings[0]


@pytest.mark.host
def test_caches_and_hidden_files_are_not_deployed(project):
    expected = set(firmware(project))
    for name in (
        "lib/__pycache__/startup.pyc",
        "lib/startup.mpy",
        "www/.DS_Store",
        "lib/.git/HEAD",
    ):
        file = project / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    assert set(firmware(project)) == expected


# --- how to join


@pytest.mark.host
def test_the_boards_wifi_is_shown_with_the_password_that_it_made_up(full_board, project, capsys):
    run(full_board, project)
    output = capsys.readouterr().out
    password = json.loads((full_board.flash / "secrets.json").read_text())["wifi_password"]
    assert f"join its Wi-Fi: 'ESP32-WS-Server', password {password}" in output
    assert qrcodes.wifi("ESP32-WS-Server", password, False) in output


@pytest.mark.parametrize(
    ("network", "meaning"),
    [
        (("Home", "secret12", False), "WIFI:T:WPA;S:Home;P:secret12;;"),
        (('a;b:c"d\\e', "p,a s12", False), r"WIFI:T:WPA;S:a\;b\:c\"d\\e;P:p,a s12;;"),
        (("Hidden", "secret12", True), "WIFI:T:WPA;S:Hidden;P:secret12;H:true;"),
        (("Open", "", False), "WIFI:S:Open;;"),
    ],
)
@pytest.mark.host
def test_the_code_says_how_to_join_in_the_words_that_phones_understand(network, meaning):
    assert modules_of(qrcodes.wifi(*network)) == [
        [bool(module) for module in row] for row in segno.make(meaning, micro=False).matrix
    ]


def modules_of(text):
    """The code's modules, dark or not, of its picture: two rows of them in each line."""
    rows = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        rows.append([char in " ▄" for char in line])
        rows.append([char in " ▀" for char in line])
    dark = [row for row in rows if any(row)]
    return [row[4:-4] for row in rows[4 : 4 + len(dark[0]) - 8]]


@pytest.mark.host
def test_a_board_that_joins_another_wifi_shows_none(full_board):
    config = {"wifi": {"mode": "station", "station_ssid": "Home"}}
    (full_board.flash / "config.json").write_text(json.dumps(config))
    with Session(full_board.serial) as session:
        assert not join.ask(session).is_access_point


@pytest.mark.host
def test_a_board_with_another_program_shows_no_wifi(empty_board):
    with Session(empty_board.serial) as session:
        assert join.ask(session) is None


# --- other ports, other ways


class Line(serial.Serial):
    """A board's serial port on the machine that serves it to others. A pseudo terminal has none of
    the wires beside the data's.
    """

    cts = dsr = ri = cd = False

    def _update_rts_state(self):
        pass

    def _update_dtr_state(self):
        pass


@pytest.fixture(params=["socket", "rfc2217"])
def far_port(request, full_board):
    """The board's serial port as a URL, as for boards that another machine has."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with peer, Line(full_board.serial, timeout=0) as line:
            manager = serial.rfc2217.PortManager(line, peer.makefile("wb", 0))
            inwards, outwards = manager.filter, manager.escape
            if request.param == "socket":
                inwards = outwards = lambda data: [data]
            while True:
                for ready in select.select([peer, line], [], [])[0]:
                    if ready is line:
                        peer.sendall(b"".join(outwards(line.read(4096))))
                        continue
                    data = peer.recv(4096)
                    if not data:
                        return
                    line.write(b"".join(inwards(data)))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"{request.param}://127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    listener.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217")
@pytest.mark.host
def test_a_board_on_another_machine_is_deployed_to(full_board, far_port, project, capsys):
    (project / "www" / "new.txt").write_text("new")
    capsys.readouterr()
    run(far_port, project)
    output = capsys.readouterr().out
    assert "1 files copied" in output
    assert "ready: " in output
    assert (full_board.flash / "www" / "new.txt").read_text() == "new"


@pytest.mark.host
@pytest.mark.parametrize("is_gone", [False, True], ids=["while it is read", "before"])
def test_a_port_that_goes_away_with_the_reset_is_opened_again(full_board, tmp_path, is_gone):
    port = tmp_path / "port"
    port.symlink_to(full_board.serial)
    again = VirtualBoard()
    ended = threading.Event()

    def come_and_go():
        full_board.stop()
        with again:
            port.unlink()
            port.symlink_to(again.serial)
            while not ended.wait(0.7):
                again.power_cycle()

    with Session(str(port)) as session:
        session.restart()
        if is_gone:
            full_board.stop()
        thread = threading.Thread(target=come_and_go)
        thread.start()
        lines = session.lines(20)
        assert any("serving" in line for line in lines)
        assert any("serving" in line for line in lines), "the second board was not heard"
        ended.set()
        thread.join()


def test_mip_installs_the_library_alone(tmp_path):
    with VirtualBoard(root=tmp_path, heap="256k") as board:  # it compiles the source
        command = [sys.executable, "-m", "mpremote", "connect", board.serial]
        done = subprocess.run(
            [*command, "mip", "install", "package.json"], cwd=ROOT, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        code = "from wsserver import Server; print(Server)"
        assert board.exec(code) == "<class 'Server'>\n"


def test_mip_installs_from_a_web_server_that_has_this_folder(empty_board, tmp_path):
    """A few files of it: that is where their addresses are found."""
    package = json.loads((ROOT / "package.json").read_text())
    del package["urls"][3:]
    (tmp_path / "package.json").write_text(json.dumps(package))
    (tmp_path / "lib").symlink_to(ROOT / "lib")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/package.json"
        command = [sys.executable, "-m", "mpremote", "connect", empty_board.serial]
        done = subprocess.run([*command, "mip", "install", url], text=True, capture_output=True)
        server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    for target, source in package["urls"]:
        there = empty_board.flash / "lib" / target
        assert there.read_bytes() == (ROOT / source).read_bytes()


@pytest.mark.host
def test_the_rules_for_settings_are_the_boards_own():
    assert settings.rules().validate({"wifi": {"channel": 14}})[1] != []
    assert settings.rules().__file__ == str(ROOT / "lib" / "config" / "schema.py")
