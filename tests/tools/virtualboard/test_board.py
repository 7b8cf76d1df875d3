"""The virtual board behaves like a board: its serial port, its resets, its heap, its end."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import websocket

from tests.conftest import need_chip_heap
from tests.waiting import wait_until
from tools.certs.names import board_names, parse_name
from tools.deploy.userfiles import read_config
from tools.ports import free_port
from tools.virtualboard import VirtualBoard
from tools.virtualboard.cli import Screen
from tools.virtualboard.interpreter import interpreter
from tools.virtualboard.serialport import Console

ROOT = Path(__file__).resolve().parents[3]
MPREMOTE = [sys.executable, "-m", "mpremote"]
LOOP = "import time\nprint('main runs')\nwhile True:\n    time.sleep_ms(5)\n"
SERVE = (
    "import socket\nlistener = socket.socket()\n"
    "listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "listener.bind(('0.0.0.0', 80))\nlistener.listen(1)\nprint('serves')\n"
    "while True:\n    listener.accept()[0].close()\n"
)

# A process with a board whose program takes no error for an end.
KILLED = (
    """
import time
from tools.virtualboard import VirtualBoard

main = """
    + repr("""
import time
print('runs')
while True:
    try:
        time.sleep_ms(5)
    except BaseException:
        pass
""")
    + """
board = VirtualBoard(files={"boot.py": "", "main.py": main}).start()
board.wait_for_log("runs")
print("runs", flush=True)
time.sleep(60)
"""
)

pytestmark = pytest.mark.usefixtures("virtual_only")


@pytest.fixture
def new_board():
    """new_board(**arguments) -> a running board, for this test alone."""
    with contextlib.ExitStack() as boards:
        yield lambda **arguments: boards.enter_context(VirtualBoard(**arguments))


@pytest.fixture(scope="module")
def looping(make_board):
    """A board whose main.py runs for ever, and its mpremote."""
    files = {"boot.py": "print('boot')", "main.py": LOOP}
    return make_board(files=files, wait=False)


@pytest.fixture
def mpremote(looping):
    """mpremote(...) -> what it prints; main.py runs when the test begins."""
    start = looping.log_position
    looping.power_cycle()
    looping.wait_for_log("main runs", since=start)

    def run(*arguments, status=0):
        command = [*MPREMOTE, "connect", looping.serial, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


# --- the serial port, as mpremote uses it


def test_mpremote_copies_any_file_there_and_back(mpremote, tmp_path):
    there, back = tmp_path / "there.bin", tmp_path / "back.bin"
    there.write_bytes(bytes(range(256)) * 40 + os.urandom(20_000))
    mpremote("fs", "cp", str(there), ":data.bin")
    mpremote("fs", "cp", ":data.bin", str(back))
    assert back.read_bytes() == there.read_bytes()


def test_mpremote_lists_files_with_their_sizes(mpremote, looping):
    (looping.flash / "listed.txt").write_text("12345")
    assert re.search(r"^ *5 listed\.txt$", mpremote("fs", "ls"), re.M)


def test_mpremote_evaluates_and_executes_while_main_py_runs(mpremote):
    assert mpremote("eval", "6 * 7").strip() == "42"
    assert mpremote("exec", "print('x' * 3000)").strip() == "x" * 3000


def test_mpremote_shows_an_errors_traceback(mpremote):
    assert "ZeroDivisionError: divide by zero" in mpremote("exec", "1 / 0", status=1)


def test_mpremote_runs_a_script_of_the_hosts(mpremote, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("for i in range(3):\n    print('line', i)\n")
    assert mpremote("run", str(script)).split("\n") == ["line 0", "line 1", "line 2", ""]


def test_what_is_executed_begins_with_fresh_memory_unless_resumed(mpremote):
    mpremote("exec", "kept = 1")
    assert mpremote("exec", "print('kept' in globals())").strip() == "False"
    mpremote("exec", "kept = 1")
    assert mpremote("resume", "exec", "print('kept' in globals())").strip() == "True"


def test_a_soft_reset_by_mpremote_runs_boot_py_but_not_main_py(mpremote, looping):
    start = looping.log_position
    mpremote("soft-reset")
    looping.wait_for_log("MPY: soft reboot\nboot\n", since=start)
    assert "main runs" not in looping.log[start:]


def test_a_reset_by_mpremote_runs_boot_py_and_main_py(mpremote, looping):
    start = looping.log_position
    mpremote("reset")
    looping.wait_for_log("boot\nmain runs\n", since=start)


def test_one_mpremote_after_another_never_hangs(mpremote):
    assert [mpremote("eval", str(number)).strip() for number in range(12)] == [
        str(number) for number in range(12)
    ]


def test_mpremotes_prompt_is_the_boards(looping, mpremote):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # mpremote does it too, after its first words
    process = subprocess.Popen(
        [*MPREMOTE, "connect", looping.serial, "repl"], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)

    def until(text):
        seen = b""
        while text not in seen:
            assert select.select([ours], [], [], 20)[0], seen
            seen += os.read(ours, 1000)

    try:
        until(b"exit this shell")
        os.write(ours, b"\x03")
        until(b">>> ")
        os.write(ours, b"print('an' + 'swer')\r")
        until(b"answer")
        os.write(ours, b"\x18")  # Ctrl-X
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


# --- the serial port, byte by byte


def feed(pieces):
    """What a Console that has entered the raw REPL makes of these pieces of output."""
    console = Console(lambda: True, lambda program: None)
    console.raw = True
    shown = b""
    for piece in pieces:
        os.write(console.slave, piece)
        shown += console.read()
    console.close()
    return shown


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"boot\n\x1eraw\x1eMicroPython x\n>>> ", b"boot\r\nraw REPL; CTRL-B to exit\r\n>"),
        (b"one \x1e and \x1era", b"one \x1e and "),
        (b"a\r\nb\nc\r\n", b"a\r\nb\r\nc\r\n"),
    ],
)
def test_output_means_the_same_however_it_is_cut(printed, expected):
    assert feed([printed]) == expected
    for cut in range(1, len(printed)):
        assert feed([printed[:cut], printed[cut:]]) == expected
    assert feed([printed[at : at + 1] for at in range(len(printed))]) == expected


def test_printing_never_waits_for_somebody_to_read(new_board):
    text = "for i in range(20000): print('0123456789' * 10)\nprint('all ' + 'printed')\n"
    board = new_board(files={"boot.py": "", "main.py": text})
    port = os.open(board.serial, os.O_RDWR | os.O_NOCTTY)  # which is never read
    try:
        board.wait_for_log("all printed", 30)
    finally:
        os.close(port)


def test_the_port_can_be_opened_and_closed_again_and_again(looping, mpremote):
    for _ in range(20):
        os.close(os.open(looping.serial, os.O_RDWR | os.O_NOCTTY))
    assert mpremote("eval", "'still there'").strip() == "still there"


def test_what_is_typed_is_echoed_by_the_prompt_alone(looping, mpremote):
    start = looping.log_position
    looping.serial_write(b"\x03")
    looping.wait_for_log(">>> $", since=start)
    start = looping.log_position
    looping.serial_write(b"1000 + 1\r")
    looping.wait_for_log(r"\A1000 \+ 1\n1001\n>>> $", since=start)


# --- programs and resets


def test_ctrl_c_ends_main_py_and_leaves_its_variables_at_the_prompt(looping, mpremote):
    start = looping.log_position
    looping.serial_write(b"\x03")
    looping.wait_for_log("KeyboardInterrupt", since=start)
    looping.wait_for_log(">>> $", since=start)
    looping.serial_write(b"time\r")
    looping.wait_for_log("<module 'time'", since=start)


def test_many_ctrl_cs_at_once_are_one(looping, mpremote):
    pid = looping.pid
    start = looping.log_position
    looping.serial_write(b"\x03" * 200)
    looping.wait_for_log(">>> $", since=start)
    assert looping.exec("print('al' + 'ive')") == "alive\n"
    assert looping.pid == pid


def test_a_soft_reset_at_the_prompt_runs_boot_py_and_main_py_again(looping, mpremote):
    start = looping.log_position
    looping.soft_reset()
    looping.wait_for_log("MPY: soft reboot\nboot\nmain runs\n", since=start)


def test_sys_exit_in_main_py_is_a_soft_reset(new_board):
    main = (
        "import os, sys\nprint('main runs')\nif 'again' not in os.listdir():\n"
        "    open('again', 'w').close()\n    sys.exit()\nprint('second time')\n"
    )
    board = new_board(files={"boot.py": "", "main.py": main})
    board.wait_for_log("main runs\nMPY: soft reboot\nmain runs\nsecond time\n")


def test_an_error_in_main_py_shows_its_traceback_and_leaves_the_prompt(new_board):
    board = new_board(files={"boot.py": "", "main.py": "def f():\n    return 1 / 0\nf()\n"})
    board.wait_for_log(
        r"Traceback \(most recent call last\):\n"
        r'  File "main.py", line 3, in <module>\n  File "main.py", line 2, in f\n'
        r"ZeroDivisionError: divide by zero\n"
    )
    assert board.exec("print(2)") == "2\n"


def test_an_error_in_boot_py_does_not_keep_main_py_from_running(new_board):
    board = new_board(files={"boot.py": "1 / 0", "main.py": "print('main runs')"})
    board.wait_for_log("ZeroDivisionError: divide by zero\nmain runs\n")


def test_code_that_does_not_compile_is_the_boards_to_complain_about(new_board):
    files = {"boot.py": "", "main.py": "import broken", "lib/broken.py": "def f(:\n"}
    new_board(files=files).wait_for_log(r"SyntaxError")


def test_the_flash_survives_resets(looping, mpremote):
    looping.exec("with open('/kept.txt', 'w') as file: file.write('kept')")
    looping.power_cycle()
    assert looping.exec("print(open('/kept.txt').read())") == "kept\n"


def test_it_says_that_it_serves_once_for_each_start(new_board):
    ready = []
    board = new_board(
        files={"boot.py": "", "main.py": SERVE}, on_ready=lambda: ready.append(board.log)
    )
    board.wait_ready()
    board.wait_for_log("serves")
    start = board.log_position
    board.soft_reset()
    board.wait_ready()
    board.wait_for_log("serves", since=start)
    assert len(ready) == 2
    with socket.create_connection((board.address, board.http_port), 10) as sock:
        assert sock.recv(1) == b""


# --- memory


@pytest.mark.parametrize("size", ["64k", "128k", "300k"])
def test_the_firmware_gets_the_heap_that_it_was_promised_in_one_piece(new_board, size):
    boot = (
        "import gc\ngc.collect()\nprint('free', gc.mem_free())\n"
        "block = bytearray(gc.mem_free() * 9 // 10)\ndel block\n"
    )
    board = new_board(heap=size, files={"boot.py": boot, "main.py": "print('fin' + 'ished')"})
    free = int(board.wait_for_log(r"free (\d+)")[1])
    promised = int(size[:-1]) * 1024
    assert promised - 2048 <= free <= promised + 1024
    board.wait_for_log("finished")
    assert "MemoryError" not in board.log


def test_what_does_not_fit_the_heap_is_a_memory_error(new_board):
    files = {"boot.py": "", "main.py": "data = bytearray(64 * 1024)\n"}
    new_board(heap="64k", files=files).wait_for_log("MemoryError: memory allocation failed")


@pytest.mark.parametrize("source", [False, True])
def test_the_project_itself_runs_on_a_small_heap_and_from_source(new_board, small_heap, source):
    board = new_board(heap=None if source else small_heap, source=source)
    board.wait_ready()
    websocket.create_connection(board.ws_url(), timeout=10).close()


# --- starting and stopping


def test_a_board_starts_within_seconds(new_board):
    began = time.monotonic()
    new_board(files={"boot.py": "", "main.py": "print('main runs')"}).wait_for_log("main runs")
    assert time.monotonic() - began < 15


def test_several_boards_run_side_by_side(new_board):
    boards = [
        new_board(files={"boot.py": "", "main.py": SERVE, "name.txt": str(number)})
        for number in range(3)
    ]
    for board in boards:
        board.wait_ready()
    assert len({board.http_port for board in boards}) == 3
    assert len({board.serial for board in boards}) == 3
    names = [board.exec("print(open('/name.txt').read())").strip() for board in boards]
    assert names == ["0", "1", "2"]


def test_stopping_leaves_nothing_behind():
    with VirtualBoard(files={"boot.py": "", "main.py": LOOP}) as board:
        board.wait_for_log("main runs")
        pid, flash, threads = board.pid, board.flash, threading.active_count()
        descriptors = open_descriptors()
    assert not flash.exists()
    assert threading.active_count() < threads
    assert open_descriptors() < descriptors
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def open_descriptors():
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    return len(list(folder.iterdir()))


def test_a_board_that_cannot_be_set_up_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        VirtualBoard(config=tmp_path / "missing.json")
    assert [path.name for path in tmp_path.iterdir() if "-mpy-" not in path.name] == []


# --- the command line


@pytest.fixture
def make_run(tmp_path):
    """make_run(*arguments) starts the command line, its temporary files in tmp_path / "tmp"."""
    (tmp_path / "tmp").mkdir()
    started = []

    def start(*arguments, ports=True, **options):
        http, https = free_port(), free_port()
        command = [sys.executable, "-m", "tools", "run", *arguments]
        if ports:
            command += ["--http-port", str(http), "--https-port", str(https)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            **options,
        )
        process.http = http
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def lines_until(process, start):
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            return lines
    raise AssertionError(f"no line begins with {start!r}: {lines}")


def interpreters_of(tmp_path):
    """The process ids of the interpreters whose run directory is below tmp_path."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(tmp_path).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def left_behind(tmp_path):
    names = [path.name for path in (tmp_path / "tmp").iterdir()]
    return [name for name in names if not name.startswith("virtualboard-mpy-")]


def test_the_command_line_names_its_port_and_says_when_it_serves(make_run):
    process = make_run()
    lines = lines_until(process, "board ready: ")
    assert lines[0].startswith("serial port: /dev/")
    assert lines[-1].startswith(f"board ready: http://127.0.0.1:{process.http}/ ")
    assert f"ws://127.0.0.1:{process.http}/ws" in lines[-1]
    with socket.create_connection(("127.0.0.1", process.http), 10):
        pass


def test_the_command_line_says_once_which_address_to_open_here(make_run, tmp_path):
    app = tmp_path / "mine.py"
    app.write_text("import machine\n\ndef setup(board):\n"
                   "    board.server.after(500, machine.reset)\n")  # fmt: skip
    process = make_run("--app", str(app))
    lines = lines_until(process, "Open ") + lines_until(process, "board ready: ")
    url = f"http://127.0.0.1:{process.http}/"
    text = "in a browser on this computer: the address 192.168.4.1 above is that of the board"
    opening = [line for line in lines if line.startswith("Open ")]
    assert [line.startswith(f"Open {url} {text}") for line in opening] == [True]


def test_with_certificates_the_command_line_serves_https_as_well(make_run, certs, trust):
    process = make_run("--certs", str(certs))
    ready = lines_until(process, "board ready: ")[-1]
    http, https = re.search(r"(http://\S+) .* (https://\S+)$", ready).groups()
    pages = [
        urllib.request.urlopen(url, timeout=10, context=trust if url == https else None).read()
        for url in (http, https)
    ]
    assert pages[0] == pages[1]
    assert b"<title>" in pages[0]


def test_only_the_ports_on_which_a_program_listens_are_named(make_run, certs, tmp_path):
    main = tmp_path / "my.py"
    main.write_text("""
from certificates.context import server_context
from wsserver import Server

server = Server()
server.listen(443, tls=server_context("/certs/server.crt.der", "/certs/server.key.der"))
server.run()
""")
    process = make_run("--certs", str(certs), "--main", str(main))
    ready = lines_until(process, "board ready: ")[-1]
    assert re.fullmatch(r"board ready: https://\S+", ready)


def test_the_board_itself_names_the_ports_of_the_command_line(make_run, certs, tmp_path):
    """Without a password, the settings page learns the https address that works here."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"server": {"port": 80, "max_clients": 4}, "mine": [1]}))
    flash = tmp_path / "flash"
    options = ("--certs", str(certs), "--config", str(config), "--flash", str(flash))
    process = make_run(*options)
    ready = lines_until(process, "board ready: ")[-1]
    https = re.search(r"https://\S+$", ready)[0]
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"http://127.0.0.1:{process.http}/settings", timeout=10)
    assert f"{https}settings.html" in refusal.value.read().decode()
    written = json.loads((flash / "config.json").read_text())
    assert written["server"] == {"port": process.http, "max_clients": 4}
    assert written["mine"] == [1]


ECHO = """
from wsserver import Server

class Echo:
    def on_message(self, client, message):
        client.send(message)

server = Server()
server.websocket("/ws", Echo())
server.listen(80)
server.run()
"""


def test_no_https_is_announced_for_a_program_that_does_not_listen_there(make_run, certs, tmp_path):
    (tmp_path / "main.py").write_text(ECHO)
    process = make_run("--certs", str(certs), "--main", str(tmp_path / "main.py"))
    ready = lines_until(process, "board ready: ")[-1]
    assert "https://" not in ready
    assert "ws://" in ready


def test_the_command_line_runs_another_program_than_main_py(make_run, tmp_path):
    (tmp_path / "main.py").write_text(ECHO)
    process = make_run("--main", str(tmp_path / "main.py"))
    lines_until(process, "board ready: ")
    client = websocket.create_connection(f"ws://127.0.0.1:{process.http}/ws", timeout=10)
    client.send("hello")
    assert client.recv() == "hello"
    client.close()


def test_the_command_line_runs_an_application_and_shows_its_lines(make_run, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def setup(board):\n    board.server.after(1, fail)\n\n\ndef fail():\n    1 / 0  # here\n"
    )
    process = make_run("--app", str(tmp_path / "mine.py"))
    lines = lines_until(process, "ZeroDivisionError")
    assert f"    -> {tmp_path}/mine.py:6: 1 / 0  # here" in lines


def test_a_program_that_is_not_there_is_an_error(make_run):
    process = make_run("--main", "no.py")
    assert process.communicate(timeout=60)[0] == (
        "run: program no.py cannot be read: No such file or directory\n"
    )
    assert process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_with_status_0(make_run, tmp_path, number):
    process = make_run()
    lines_until(process, "board ready: ")
    process.send_signal(number)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert left_behind(tmp_path) == []
    assert interpreters_of(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("hangup", [signal.SIG_DFL, signal.SIG_IGN], ids=["shell", "nohup"])
def test_the_interpreter_does_not_outlive_a_process_that_was_killed(tmp_path, hangup):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup),
    )
    with process:
        assert process.stdout.readline() == b"runs\n"
        assert len(interpreters_of(tmp_path)) == 1
        process.kill()
    wait_until(lambda: not interpreters_of(tmp_path), "the end of the interpreter")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_the_interpreter_does_not_outlive_a_command_line_that_was_killed(make_run, tmp_path):
    process = make_run()
    lines_until(process, "board ready: ")
    assert len(interpreters_of(tmp_path)) == 1
    process.kill()
    process.wait()
    wait_until(lambda: not interpreters_of(tmp_path), "the end of the interpreter")


def test_it_ends_when_nobody_reads_its_output_any_more(make_run):
    process = make_run()
    lines_until(process, "board ready: ")
    process.stdout.close()
    url = f"ws://127.0.0.1:{process.http}/ws"
    with contextlib.suppress(OSError, websocket.WebSocketException):
        websocket.create_connection(url, timeout=10).close()  # of which the board prints a line
    assert process.wait(timeout=60) == 0


def test_a_line_of_its_own_is_never_glued_to_what_the_board_prints(capfdbinary):
    screen = Screen(lambda: None)
    screen.say("one")
    screen.show(b"half a line")
    screen.say("two")
    screen.show(b"a line\r\n")
    screen.say("three")
    assert capfdbinary.readouterr().out == b"one\nhalf a line\ntwo\na line\nthree\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--heap", "12x"], "heap '12x' is not a size such as 64k"),
        (["--heap", "2k"], "heap '2k' is too small"),
        (["--config", "missing.json"], "config missing.json cannot be read: No such file"),
        (["--config", "docs"], "config docs cannot be read: Is a directory"),
        (["--flash", "."], "holds something else than a board's files"),
    ],
)
def test_a_wrong_argument_is_explained_in_one_line(make_run, tmp_path, arguments, message):
    process = make_run(*arguments)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert message in output
    assert output.count("\n") == 1
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("option", ["--http-port", "--https-port"])
def test_a_port_in_use_is_explained_in_one_line(make_run, option):
    other = "--https-port" if option == "--http-port" else "--http-port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = make_run(option, str(port), other, str(free_port()), ports=False)
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"port {port} of this machine cannot be used" in output
    assert output.count("\n") == 1


def test_the_board_is_ready_when_setup_has_returned(make_run, tmp_path):
    app = tmp_path / "fan.py"
    app.write_text("import os\n\ndef setup(board):\n    if 'once' not in os.listdir('/'):\n"
                   "        open('/once', 'w').close()\n        board.nothing\n")  # fmt: skip
    process = make_run("--app", str(app))
    lines = [line.strip() for line in lines_until(process, "AttributeError")]
    assert not [line for line in lines if line.startswith("board ready: ")]
    # Of the traceback's lines, only the application's are shown.
    assert [line for line in lines if "-> " in line] == [f"-> {app}:6: board.nothing"]
    ready = lines_until(process, "board ready: ")[-1]
    assert "http://127.0.0.1:" in ready and "ws://" not in ready, "it has no endpoint at /ws"


def test_an_application_that_always_fails_ends_with_what_to_do(make_run, tmp_path):
    app = tmp_path / "fan.py"
    app.write_text("def setup(board):\n    board.nothing\n")
    process = make_run("--app", str(app))
    lines = [line.strip() for line in lines_until(process, "Correct the application")]
    assert [line for line in lines if "-> " in line] == [f"-> {app}:2: board.nothing"]
    assert not [line for line in lines if line.startswith("board ready: ")]
    ready, advice = lines[-2:]
    assert "ws://" not in ready
    assert ready.startswith("board ready, without the application: http://127.0.0.1:")
    assert advice == "Correct the application (its traceback is above), and start this again."
    assert not [line for line in lines if "deploy" in line]


def test_an_application_without_memory_is_told_of_the_heap_and_the_words(make_run, tmp_path):
    app = tmp_path / "large.py"
    app.write_text("def setup(board):\n    bytearray(10_000_000)\n")
    process = make_run("--app", str(app), "--heap", "192k")
    line = lines_until(process, "Out of memory on the virtual board")[-1]
    assert "HEAP=" in line
    assert "WORD=32" in line or interpreter().word == 32


def test_an_application_without_memory_on_a_chip_is_not_told_of_a_larger_heap(make_run, tmp_path):
    need_chip_heap()
    app = tmp_path / "large.py"
    app.write_text("def setup(board):\n    bytearray(10_000_000)\n")
    line = lines_until(make_run("--app", str(app), "--heap", "chip"), "Out of memory, as")[-1]
    assert "HEAP=" not in line
    assert "server.max_size" in line
    assert "docs/safety.md" in line


def test_a_port_that_is_none_is_explained_in_one_line(make_run):
    process = make_run("--http-port", "80000", ports=False)
    output = process.communicate(timeout=60)[0]
    assert output == "run: port 80000 is not valid: use 1 to 65535, or 0 for any that is free\n"


def test_a_misspelt_setting_is_warned_of_with_the_right_name(make_run, tmp_path):
    config = tmp_path / "my.json"
    config.write_text('{"wifi": {"pasword": "correct horse"}}')
    lines = lines_until(make_run("--config", str(config)), "board ready: ")
    text = f"warning: {config}: wifi.pasword: unknown field; did you mean 'password'?"
    assert lines[0].strip() == text


def test_a_comma_after_the_last_entry_is_accepted_everywhere(make_run, tmp_path):
    config = tmp_path / "my.json"
    text = '{"wifi": {"ssid": "a,]b", "hostname": "mine",}, "server": {"port": 8080, }, }\n'
    config.write_text(text)
    process = make_run("--config", str(config))
    lines = lines_until(process, "board ready: ")
    assert not [line for line in lines if "JSON" in line or line.startswith("/config.json")]
    assert any("'a,]b'" in line for line in lines)
    with socket.create_connection(("127.0.0.1", process.http), 10):
        pass
    assert read_config(config) == text.encode()
    assert parse_name("mine.local") in board_names(config)


def test_a_config_that_is_not_json_gets_a_warning_and_reaches_the_board(make_run, tmp_path):
    config = tmp_path / "broken.json"
    config.write_text('{"server": nothing}')
    process = make_run("--config", str(config))
    lines = lines_until(process, "board ready: ")
    assert lines[0].startswith(f"warning: {config} is not JSON")
    assert any(line.startswith("/config.json: ") for line in lines[1:]), lines


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "the whole file: must be an object {...}; using defaults"),
        ('{"wifi": 5}', "wifi: must be an object {...}; using defaults"),
    ],
)
def test_a_config_without_objects_gets_a_warning(make_run, tmp_path, text, problem):
    config = tmp_path / "my.json"
    config.write_text(text)
    lines = lines_until(make_run("--config", str(config)), "board ready: ")
    assert lines[0] == f"warning: {config}: {problem}"


def test_the_config_reaches_the_board_and_its_port_is_mapped(make_run, tmp_path):
    config = tmp_path / "my.json"
    config.write_text(json.dumps({"wifi": {"ssid": "My-Net"}, "server": {"port": 8080}}))
    process = make_run("--config", str(config), "--heap", "128k")
    lines = lines_until(process, "board ready: ")
    assert any("'My-Net'" in line for line in lines)
    with socket.create_connection(("127.0.0.1", process.http), 10):
        pass


def test_the_flash_can_be_kept(make_run, tmp_path, small_heap):
    flash = tmp_path / "flash"
    process = make_run("--flash", str(flash))
    lines_until(process, "board ready: ")
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert (flash / "main.py").read_bytes() == (ROOT / "main.py").read_bytes()
    (flash / "mine.txt").write_text("mine")
    process = make_run("--flash", str(flash), "--heap", small_heap)
    lines_until(process, "board ready: ")
    assert (flash / "mine.txt").read_text() == "mine"
