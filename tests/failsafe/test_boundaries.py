"""Counts and sizes of updates and failed starts, each from both sides, on a board's flash."""

import pytest

CLEAN = """
import gc, os, sys
def remove(path):
    try:
        if os.stat(path)[0] & 0x4000:
            for name in os.listdir(path):
                remove(path + "/" + name)
            os.rmdir(path)
        else:
            os.remove(path)
    except OSError:
        pass
for name in os.listdir("/"):
    if name.startswith("failed-") or name in ("update", "www") or name[:5] in ("kept.", "full."):
        remove("/" + name)
for name in [name for name in sys.modules if name.split(".")[0] in ("failsafe", "admin")]:
    del sys.modules[name]
gc.collect()
"""


@pytest.fixture(scope="module")
def prompt(make_board):
    """A board with nothing but its prompt."""
    return make_board(files={"boot.py": "", "main.py": ""}, wait=False, heap="256k")


@pytest.fixture
def run(prompt):
    """run(code) -> the lines that the code prints on the board; there is no update, no failure."""
    prompt.exec(CLEAN)
    return lambda code: prompt.exec(code).splitlines()


def printed(run, code):
    return [line.strip() for line in run(code) if line.strip()]


def test_the_third_failed_start_in_a_row_leads_to_safe_mode(run):
    code = """
from failsafe import rollback
starts = []
for _ in range(5):
    starts.append(rollback.start())
    rollback.failed()
print("=", starts)
"""
    lines = printed(run, code)
    assert lines[-1] == "= [True, True, True, False, False]"
    assert "safe mode: 3 starts failed" in "\n".join(lines)


def test_an_update_has_three_starts_until_it_is_rolled_back(run):
    code = """
import json, os
import failsafe
from failsafe import rollback
for path in ("/update", "/update/old"):
    os.mkdir(path)
with open("/update/trial-1", "w") as file:
    json.dump({"seconds": 10, "new": [], "changed": [], "gone": []}, file)
import machine
class Fake:
    PWRON_RESET = machine.PWRON_RESET
    HARD_RESET = machine.HARD_RESET
    WDT_RESET = machine.WDT_RESET
    SOFT_RESET = machine.SOFT_RESET
    def reset_cause(self):
        return self.SOFT_RESET if soft else self.HARD_RESET
rollback.machine = Fake()
soft = True
armed = []
from failsafe import watchdog
watchdog.arm = armed.append
started = [rollback.start()]  # a soft reset is no attempt, and cannot be followed by the watchdog
states = [rollback.state()]
soft = False
for _ in range(3):
    started.append(rollback.start())
    states.append(rollback.state())
print("=", states, started, armed)
"""
    states = "['trial-1', 'trial-2', 'trial-3', 'undone']"
    assert printed(run, code)[-1] == f"= {states} [True, True, True, True] [10000, 10000]"


def test_a_rollback_restores_every_file(run):
    code = """
import json, os
from failsafe import rollback, watchdog
watchdog.arm = lambda ms: None
def write(path, text):
    rollback.make_folders(path)
    with open(path, "w") as file:
        file.write(text)
def files():
    found = []
    for name in ("new", "changed", "gone"):
        try:
            with open("/www/deep/" + name) as file:
                found.append(file.read())
        except OSError:
            found.append(None)
    return found
write("/www/deep/changed", "old")
write("/www/deep/gone", "old")
write("/update/new/www/deep/new", "new")
write("/update/new/www/deep/changed", "new")
paths = {name: ["/www/deep/" + name] for name in ("new", "changed", "gone")}
write("/update/todo", json.dumps(dict(paths, seconds=10)))
rollback.start()
print("=", files(), rollback.state())
os.rename("/update/trial-1", "/update/undo")
rollback.start()
print("=", files(), rollback.state())
"""
    lines = [line for line in printed(run, code) if line[0] == "="]
    assert lines == ["= ['new', 'new', None] trial-1", "= [None, 'old', 'old'] undone"]


BEGIN = """
from admin import update

class Server:
    max_size = 4096
    def after(self, ms, function):
        pass

class Client:
    def send(self, message):
        print("=", message)
    def close(self, code, reason):
        pass

one = update.endpoint(Server(), None, 'correct horse')
client = Client()
"""


def begun(run, state):
    """Begin an update while another is in this state; return the lines that are printed."""
    code = f"""
import os
os.mkdir("/update")
open("/update/{state}", "w").close()
{BEGIN}
one.on_message(client, '["begin"]')
print("+", os.listdir("/update"))
"""
    return printed(run, code)


@pytest.mark.parametrize("state", ["trial-1", "trial-3", "todo"])
def test_no_update_begins_while_another_is_on_trial(run, state):
    *_, answer, left = begun(run, state)
    assert "on trial" in answer
    assert left == f"+ ['{state}']"


@pytest.mark.parametrize("state", ["undone", "undo"])
def test_an_update_begins_after_another_was_rolled_back(run, state):
    assert begun(run, state)[-1] == "+ []"


@pytest.mark.parametrize(("missing", "answer"), [(0, "= 0"), (1, "flash is full")])
def test_an_update_leaves_32_kilobytes_of_the_flash_free(run, missing, answer):
    code = f"""
{BEGIN}
update._free = lambda: 32768 + 10000 - {missing}
answers = []
client.send = answers.append
while not answers or answers[-1] == "-1":
    one.on_message(client, '["begin"]')
client.send = lambda message: print("=", message)
one.on_message(client, '["nonce"]')
one.on_message(client, '["file", "/lib/demo/x.mpy", 10000, "%s"]' % ("0" * 64))
"""
    assert answer in printed(run, code)[-1]


WRITE = """
from config import atomic

class Damaged:
    '''A file of which the flash has kept something else.'''
    def __init__(self, file, change):
        self.file = file
        self.change = change
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.file.close()
    def write(self, data):
        return self.file.write(data)
    def read(self, size):
        return self.change(self.file.read(size))

def opening(change):
    return lambda path, mode: Damaged(open(path, mode), change)

def attempt(change, pieces=(b"new ", b"content")):
    atomic.open = opening(change)
    try:
        atomic.write("/kept.txt", lambda: pieces)
        result = "written"
    except OSError as error:
        result = "OSError"
    with open("/kept.txt") as file:
        print("=", result, file.read(), "kept.txt.new" in os.listdir("/"))

import os
with open("/kept.txt", "w") as file:
    file.write("old")
"""


def test_a_file_that_reads_back_as_it_was_written_replaces_the_old_one(run):
    assert printed(run, WRITE + "attempt(lambda data: data)")[-1] == "= written new content False"


@pytest.mark.parametrize(
    "change",
    [
        "lambda data: data[:-1]",  # cut off
        "lambda data: bytes(len(data))",  # erased
        "lambda data: data or b'x'",  # longer
        "lambda data: data.replace(b'n', b'm')",
    ],
)
def test_a_file_that_reads_back_otherwise_leaves_the_old_one(run, change):
    assert printed(run, WRITE + f"attempt({change})")[-1] == "= OSError old False"


def test_a_count_of_failed_starts_can_be_cleared(run):
    code = """
from failsafe import bootcount
counts = []
for count in (1, 3, 0, 2, 2, 0):
    bootcount.set_failures(count)
    counts.append(bootcount.failures())
print("=", counts)
"""
    assert printed(run, code)[-1] == "= [1, 3, 0, 2, 2, 0]"


@pytest.mark.parametrize(
    ("number", "name"), [("28", "no space"), ("errno.EIO", "EIO"), ("12345", "12345")]
)
def test_a_failed_start_that_cannot_be_counted_is_explained(run, number, name):
    code = f"""
import errno
from failsafe import bootcount

def full(*args):
    raise OSError({number})

bootcount.open = full
bootcount.set_failures(1)
"""
    lines = printed(run, code)
    assert lines[-1] == f"bootcount: the failed start cannot be counted ({name}): remove files"


NOTE = """
from failsafe import crashlog
import os

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None

crashlog.note("short", "/full.log")
size = len(read("/full.log"))
"""


@pytest.mark.parametrize(("more", "rotated"), [(0, False), (1, True)])
def test_a_crash_log_of_over_4096_bytes_becomes_the_old_one(run, more, rotated):
    code = f"""
write("/full.log", "x" * (4096 - size + {more}))
write("/full.old", "older")
crashlog.note("short", "/full.log")
print("=", len(read("/full.log")), read("/full.old")[:5])
"""
    size, old = printed(run, NOTE + code)[-1].split()[1:]
    assert (int(size) < 100, old) == ((True, "xxxxx") if rotated else (False, "older"))


def test_the_end_of_a_long_entry_is_kept(run):
    code = """
write("/full.log", "")
crashlog.note("x" * 3000 + "end", "/full.log")
entry = read("/full.log")
print("=", entry.count("x"), entry[-4:-1])
"""
    assert printed(run, NOTE + code)[-1] == "= 1497 end"


def test_a_first_entry_of_over_4096_bytes_is_kept(run):
    code = """
os.remove("/full.log")
crashlog.note(chr(0x6F22) * 1500, "/full.log")
print("=", read("/full.log").count(chr(0x6F22)))
"""
    assert printed(run, NOTE + code)[-1] == "= 1500"
