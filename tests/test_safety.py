"""A board that does not start, hangs or loses its power: it restarts, says why, and gives up in a
way that can be helped.
"""

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.power import cut_at_random

ROOT = Path(__file__).resolve().parent.parent
BOOT = (ROOT / "boot.py").read_text()
TRIAL = (ROOT / "lib" / "trial.py").read_text()
QUICK = TRIAL.replace("_PROVEN = const(10000)", "_PROVEN = const(300)")
assert QUICK != TRIAL
DEMO = (ROOT / "lib" / "demo.py").read_text()
FAILS = {"lib/demo.py": "1 / 0\n"}
# A timer that hangs once the server runs, as often as /hang says.
HANGS = (
    DEMO
    + """

import os

_build = build

def build(server, *arguments):
    _build(server, *arguments)
    server.after(100, hang)

def hang():
    if "hang" in os.listdir("/"):
        print("hanging")
        while True:
            pass
"""
)
SAFE = r"safe mode: 3 starts failed(.*\n)*.*wifi: access point(.*\n)*>>> $"


def crashes(board):
    """The entries of /crash.log and its older part."""
    files = [board.flash / name for name in ("crash.old", "crash.log")]
    text = "".join(file.read_text() for file in files if file.exists())
    return re.split(r"^--- .*\n", text, flags=re.M)[1:]


def failed(board):
    """How many starts have failed in a row."""
    names = [name for name in os.listdir(board.flash) if name.startswith("failed-")]
    assert len(names) <= 1
    return int(names[0][7:]) if names else 0


def mpremote(board, *arguments):
    command = [str(ROOT / ".venv/bin/mpremote"), "connect", board.serial, *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=30).stdout


# --- errors


def test_three_starts_that_fail_end_in_safe_mode_and_each_restart_is_one_more_try(make_board):
    board = make_board(files=FAILS, wait=False)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3
    assert all("ZeroDivisionError: divide by zero" in entry for entry in crashes(board))
    assert mpremote(board, "exec", "import network; print(network.WLAN(1).active())") == "True\n"
    position = board.log_position
    board.power_cycle()
    board.wait_for_log(r"ZeroDivisionError(.*\n)*" + SAFE, since=position)
    assert len(crashes(board)) == 4
    (board.flash / "lib" / "demo.py").write_text(DEMO)
    mpremote(board, "reset")
    board.wait_ready()


def test_an_error_while_it_serves_is_written_down_and_it_serves_again(make_board):
    main = (ROOT / "main.py").read_text()
    fails_once = (
        "        if 'second' not in __import__('os').listdir():\n"
        "            open('/second', 'w').close()\n"
        "            server.after(100, lambda: setattr(server, '_ipoll', None))\n"
        "        server.run()\n"
    )
    assert "        server.run()\n" in main
    files = {"main.py": main.replace("        server.run()\n", fails_once), "lib/trial.py": QUICK}
    board = make_board(files=files, wait=False)
    board.wait_for_log(r"serving(.*\n)*TypeError(.*\n)*serving")
    assert "TypeError" in crashes(board)[0]
    board.wait_for_log("this start has succeeded: /failed-1 is done with")
    assert failed(board) == 0


def test_an_error_in_boot_py_counts_as_well(make_board):
    board = make_board(files={"lib/wifi/connect.py": "import nonsense\n"}, wait=False)
    board.wait_for_log(r"safe mode(.*\n)*.*nonsense(.*\n)*>>> $")
    assert len(crashes(board)) == 4  # the last one in safe mode: there is no other way to be told


def test_ctrl_c_and_sys_exit_are_no_failures(make_board):
    board = make_board()
    board.exec("import sys")
    board.soft_reset()
    board.wait_ready()
    assert mpremote(board, "exec", "print(1)") == "1\n"
    assert failed(board) == 0
    assert crashes(board) == []


def test_a_board_that_is_switched_off_and_on_quickly_keeps_its_trust(make_board):
    board = make_board(wait=False)
    for _ in range(5):
        position = board.log_position
        board.power_cycle()
        board.wait_for_log("wifi: access point", since=position)
    assert failed(board) == 0
    board.wait_ready()


def test_the_crash_log_is_bounded_and_has_one_older_part(make_board):
    files = {"lib/demo.py": "raise ValueError('long ' * 2000)\n"}
    old = {"crash.log": "--- old\n" + "x" * 4000 + "\n", "crash.old": "gone"}
    board = make_board(files={**files, **old}, wait=False)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3  # two and one: as many as 4096 bytes hold
    for name in old:
        assert 1500 < (board.flash / name).stat().st_size <= 4096


def test_a_crash_log_that_cannot_be_written_changes_nothing(make_board):
    board = make_board(files={**FAILS, "crash.log/in the way": ""}, wait=False)
    board.wait_for_log(SAFE)


# --- memory


@pytest.mark.parametrize("heap", ["60k", "48k", "32k"])
def test_where_no_start_can_succeed_the_board_says_so_once_and_stays_at_the_prompt(
    make_board, compiled, heap, certs
):
    board = make_board(heap=heap, certs=certs, wait=False)
    board.wait_for_log(r"wifi: access point(.*\n)*>>> $")
    assert re.search(r"not enough memory: \d+ bytes are free, .* about 64000,", board.log)
    assert "HEAP=" in board.log
    assert "Traceback" not in board.log
    assert mpremote(board, "exec", "print(6 * 7)") == "42\n"
    assert mpremote(board, "cp", str(ROOT / "main.py"), ":again.py") != ""
    assert (board.flash / "again.py").read_bytes() == (ROOT / "main.py").read_bytes()
    assert failed(board) == 0
    assert crashes(board) == []


def test_a_start_that_runs_out_of_memory_says_what_to_do(make_board):
    board = make_board(files={"lib/demo.py": "bytearray(1 << 30)\n"}, wait=False)
    board.wait_for_log(SAFE)
    assert board.log.count("Not enough memory: deploy lib/ compiled, lower server.max_size") == 3
    assert "MemoryError" in crashes(board)[0]


# --- the watchdog


def test_a_callback_that_hangs_restarts_the_board_and_is_written_down(make_board):
    files = {"lib/demo.py": HANGS, "hang": "", "lib/trial.py": QUICK}
    board = make_board(config={"watchdog": {"timeout": 1}}, files=files)
    board.wait_for_log("hanging")
    (board.flash / "hang").unlink()
    board.wait_for_log(r"hanging(.*\n)*serving(.*\n)*this start has succeeded")
    assert "the watchdog restarted the board" in crashes(board)[0]
    assert failed(board) == 0


def test_a_board_that_hangs_at_each_start_ends_in_safe_mode(make_board):
    files = {"lib/demo.py": HANGS, "hang": ""}
    board = make_board(config={"watchdog": {"timeout": 1}}, files=files)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3


def test_the_watchdog_is_fed_by_the_loop_and_leaves_the_prompt_alone(make_board):
    board = make_board(config={"watchdog": {"timeout": 1}})
    pid = board.pid
    time.sleep(1.5)  # more than it waits
    assert board.exec("import time; time.sleep(1.5); print('patient')") == "patient\n"
    assert board.pid == pid
    board.soft_reset()
    board.wait_ready()
    assert crashes(board) == []


def test_without_the_setting_there_is_no_watchdog(make_board):
    board = make_board(files={"lib/demo.py": HANGS, "hang": ""})
    board.wait_for_log("hanging")
    pid = board.pid
    time.sleep(0.5)
    assert board.pid == pid
    assert board.exec("import sys; print('watchdog' in sys.modules)") == "False\n"


# --- power


def test_it_comes_up_whenever_the_power_fails_with_settings_old_or_new(make_board):
    cut_at_random(make_board, times=8, seed=random.randrange(1 << 30))


def test_without_a_failure_nothing_is_written_at_a_start(make_board):
    board = make_board(files={"lib/trial.py": QUICK})
    before = {path: path.stat().st_mtime_ns for path in board.flash.rglob("*")}
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving", since=position)
    board.exec("import time; time.sleep(0.4)")
    assert {path: path.stat().st_mtime_ns for path in board.flash.rglob("*")} == before
