"""Failed starts, hangs, power cuts and out of memory: restart, crash log, safe mode."""

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.failsafe.power import cut_at_random

ROOT = Path(__file__).resolve().parents[2]
BOOT = (ROOT / "boot.py").read_text()
TRIAL = (ROOT / "lib" / "admin" / "confirm.py").read_text()
QUICK = TRIAL.replace("_PROVEN = const(10000)", "_PROVEN = const(300)")
assert QUICK != TRIAL
DEMO = (ROOT / "lib" / "demo" / "application.py").read_text()
FAILS = {"lib/demo/application.py": "1 / 0\n"}
# A timer that hangs once the server runs, while there is a file /hang.
HANGS = (
    DEMO
    + """

import os

_setup = setup

def setup(board):
    _setup(board)
    board.server.after(100, hang)

def hang():
    if "hang" in os.listdir("/"):
        print("hanging")
        while True:
            pass
"""
)
SAFE = r"safe mode: 3 starts failed(.*\n)*.*wifi: access point(.*\n)*>>> $"


def crashes(board):
    """Return the entries of /crash.old and /crash.log."""
    files = [board.flash / name for name in ("crash.old", "crash.log")]
    text = "".join(file.read_text() for file in files if file.exists())
    return re.split(r"^--- .*\n", text, flags=re.M)[1:]


def failed(board):
    """Return the number of starts that failed in a row."""
    names = [name for name in os.listdir(board.flash) if name.startswith("failed-")]
    assert len(names) <= 1
    return int(names[0][7:]) if names else 0


def mpremote(board, *arguments):
    command = [str(ROOT / ".venv/bin/mpremote"), "connect", board.serial, *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=60).stdout


# --- errors


def test_three_failed_starts_end_in_safe_mode_until_a_start_succeeds(make_board):
    board = make_board(files=FAILS, wait=False)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3
    assert all("ZeroDivisionError: divide by zero" in entry for entry in crashes(board))
    assert mpremote(board, "exec", "import network; print(network.WLAN(1).active())") == "True\n"
    position = board.log_position
    board.power_cycle()
    board.wait_for_log(r"ZeroDivisionError(.*\n)*" + SAFE, since=position)
    assert len(crashes(board)) == 4
    (board.flash / "lib" / "demo" / "application.py").write_text(DEMO)
    mpremote(board, "reset")
    board.wait_ready()


def test_an_error_while_serving_is_logged_and_the_board_restarts(make_board):
    main = (ROOT / "main.py").read_text()
    fails_once = (
        "        if 'second' not in __import__('os').listdir():\n"
        "            open('/second', 'w').close()\n"
        "            server.after(100, lambda: setattr(server, '_ipoll', None))\n"
        "        server.run()\n"
    )
    assert "        server.run()\n" in main
    files = {
        "main.py": main.replace("        server.run()\n", fails_once),
        "lib/admin/confirm.py": QUICK,
    }
    board = make_board(files=files, wait=False)
    board.wait_for_log(r"serving(.*\n)*TypeError(.*\n)*serving")
    assert "TypeError" in crashes(board)[0]
    board.wait_for_log("start confirmed: removed /failed-1")
    assert failed(board) == 0


def test_an_error_in_boot_py_counts_as_a_failed_start(make_board):
    board = make_board(files={"lib/wifi/connect.py": "import nonsense\n"}, wait=False)
    board.wait_for_log(r"safe mode(.*\n)*.*nonsense(.*\n)*>>> $")
    assert len(crashes(board)) == 4  # the last one was written in safe mode


def test_ctrl_c_and_a_soft_reset_are_not_failures(make_board):
    board = make_board()
    board.exec("import sys")
    board.soft_reset()
    board.wait_ready()
    assert mpremote(board, "exec", "print(1)") == "1\n"
    assert failed(board) == 0
    assert crashes(board) == []


def test_quick_power_cycles_are_not_failures(make_board):
    board = make_board(wait=False)
    for _ in range(5):
        position = board.log_position
        board.power_cycle()
        board.wait_for_log("wifi: access point", since=position)
    assert failed(board) == 0
    board.wait_ready()


def test_the_crash_log_is_bounded_and_rotated(make_board):
    files = {"lib/demo/application.py": "raise ValueError('long ' * 2000)\n"}
    old = {"crash.log": "--- old\n" + "x" * 4000 + "\n", "crash.old": "gone"}
    board = make_board(files={**files, **old}, wait=False)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3  # two and one: as many as 4096 bytes hold
    for name in old:
        assert 1500 < (board.flash / name).stat().st_size <= 4096


def test_a_crash_log_that_cannot_be_written_is_ignored(make_board):
    board = make_board(files={**FAILS, "crash.log/in the way": ""}, wait=False)
    board.wait_for_log(SAFE)


# --- memory


@pytest.mark.parametrize("heap", ["60k", "48k", "36k"])
def test_a_heap_too_small_for_any_start_ends_in_safe_mode(make_board, compiled, heap, certs):
    board = make_board(heap=heap, certs=certs, wait=False)
    board.wait_for_log(SAFE)
    assert "Out of memory: deploy lib/ compiled" in board.log
    assert mpremote(board, "exec", "print(6 * 7)") == "42\n"
    assert mpremote(board, "cp", str(ROOT / "main.py"), ":again.py") != ""
    assert (board.flash / "again.py").read_bytes() == (ROOT / "main.py").read_bytes()
    assert len(crashes(board)) == 3


# Fills the heap until an import leaves a name without a module, as MicroPython does where there is
# no memory for the module itself.
HALF_IMPORTED = """
import gc
import sys

def half_imported():
    for spare in range(1, 200):
        full = spares = None
        try:
            for _ in range(spare):
                spares = (spares,)
            while True:
                full = (full,)
        except MemoryError:
            spares = None
            try:
                import victim
                sys.modules.pop("victim")
            except MemoryError:
                full = None
                gc.collect()
                if "victim" in sys.modules and sys.modules.get("victim") is None:
                    return True
                sys.modules.pop("victim", None)

gc.collect()
print("half imported:", half_imported())
raise ValueError
"""


# One is imported by main.py, the other by boot.py.
@pytest.mark.parametrize("module", ["startup", "config/loader"])
def test_a_start_without_memory_for_a_module_ends_in_safe_mode(make_board, module):
    files = {f"lib/{module}.py": HALF_IMPORTED, "lib/victim.py": ""}
    board = make_board(files=files, wait=False)
    board.wait_for_log("half imported: True")
    last = "safe mode: 3 starts failed" if module == "startup" else "start 3 failed"
    board.wait_for_log(last)


# Uses all of the heap, also what handling the error needs.
FILLS = """
full = None

def start(*_):
    global full
    while True:
        full = (full,)
"""


@pytest.mark.parametrize("heap", [None, "60k"])
def test_what_a_failed_start_has_taken_is_free_for_its_restart(make_board, heap):
    board = make_board(files={"lib/startup.py": FILLS}, heap=heap, wait=False)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3


def test_a_start_that_runs_out_of_memory_prints_advice(make_board):
    board = make_board(files={"lib/demo/application.py": "bytearray(1 << 30)\n"}, wait=False)
    board.wait_for_log(SAFE)
    assert board.log.count("Out of memory: deploy lib/ compiled, lower server.max_size") == 1
    assert "MemoryError" in crashes(board)[0]


# --- the watchdog


def test_a_callback_that_hangs_restarts_the_board_and_is_logged(make_board):
    files = {"lib/demo/application.py": HANGS, "hang": "", "lib/admin/confirm.py": QUICK}
    board = make_board(config={"watchdog": {"timeout": 1}}, files=files)
    board.wait_for_log("hanging")
    (board.flash / "hang").unlink()
    board.wait_for_log(r"hanging(.*\n)*serving(.*\n)*start confirmed")
    assert "the watchdog restarted the board" in crashes(board)[0]
    assert failed(board) == 0


def test_a_board_that_hangs_at_each_start_ends_in_safe_mode(make_board):
    files = {"lib/demo/application.py": HANGS, "hang": ""}
    board = make_board(config={"watchdog": {"timeout": 1}}, files=files)
    board.wait_for_log(SAFE)
    assert len(crashes(board)) == 3


def test_the_loop_feeds_the_watchdog_and_the_prompt_is_not_reset(make_board):
    board = make_board(config={"watchdog": {"timeout": 1}})
    pid = board.pid
    time.sleep(1.5)  # longer than its timeout
    assert board.exec("import time; time.sleep(1.5); print('patient')") == "patient\n"
    assert board.pid == pid
    board.soft_reset()
    board.wait_ready()
    assert crashes(board) == []


def test_without_the_setting_there_is_no_watchdog(make_board):
    board = make_board(files={"lib/demo/application.py": HANGS, "hang": ""})
    board.wait_for_log("hanging")
    pid = board.pid
    time.sleep(0.5)
    assert board.pid == pid
    assert board.exec("import sys; print('failsafe.watchdog' in sys.modules)") == "False\n"


# --- power


def test_random_power_cuts_leave_old_or_new_settings(make_board):
    cut_at_random(make_board, times=8, seed=random.randrange(1 << 30))


def test_a_good_start_writes_nothing_to_the_flash(make_board):
    board = make_board(files={"lib/admin/confirm.py": QUICK})
    before = {path: path.stat().st_mtime_ns for path in board.flash.rglob("*")}
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving", since=position)
    board.exec("import time; time.sleep(0.4)")
    assert {path: path.stat().st_mtime_ns for path in board.flash.rglob("*")} == before
