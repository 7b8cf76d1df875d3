"""Power cuts at each step of the flash, on littlefs: a file has its old or its new content."""

import ast

# A flash whose power fails after a number of steps. Each write and each erasure is two steps:
# after the first one, half of it is done. Nothing reaches the flash of the board itself.
CUT = """
import gc, json, os, vfs
import _flash, machine

class Cut(BaseException):
    pass

class Flash:
    def __init__(self, below, left=None):
        self.below, self.left = below, left
        self.blocks = {}
        self.steps = 0
    def step(self):
        self.steps += 1
        if self.left is not None:
            if self.left < 1:
                raise Cut
            self.left -= 1
    def block(self, number):
        if number not in self.blocks:
            self.blocks[number] = bytearray(4096)
            self.below.readblocks(number, self.blocks[number])
        return memoryview(self.blocks[number])
    def readblocks(self, number, buffer, offset=0):
        if number in self.blocks:
            buffer[:] = memoryview(self.blocks[number])[offset:offset + len(buffer)]
        else:
            self.below.readblocks(number, buffer, offset)
    def writeblocks(self, number, buffer, offset=0):
        half = len(buffer) // 2
        block = self.block(number)
        self.step()
        block[offset:offset + half] = buffer[:half]
        self.step()
        block[offset + half:offset + len(buffer)] = buffer[half:]
    def ioctl(self, operation, number):
        if operation != 6:
            return self.below.ioctl(operation, number)
        block = self.block(number)
        self.step()
        block[:2048] = b"\\xff" * 2048
        self.step()
        block[2048:] = b"\\xff" * 2048
        return 0

below = _flash.device

def mount(flash):
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    os.chdir("/")

def content(path):
    with open(path) as file:
        return file.read()

def at_every_step(write, look):
    '''Return what look() finds after a power cut at each step of write(), and after none.'''
    flash = Flash(below)
    mount(flash)
    write()
    steps, found = flash.steps, []
    for left in range(steps + 1):
        flash = Flash(below, left)
        mount(flash)
        cut = False
        try:
            write()
        except Cut:
            cut = True
        flash.left = None
        mount(flash)
        found.append((cut, look()))
        if left % 8 == 0:
            gc.collect()
    mount(below)
    print("steps", steps, [cut for cut, _ in found].count(True))
    return [kind for _, kind in found]
"""

SETTINGS = (
    CUT
    + """
from admin import settingsfile
old = content("/config.json")
def save():
    settingsfile.save({"broadcast": {"text": "new", "interval": 2}, "wifi": {"ssid": "Other"}})
def look():
    text = content("/config.json")
    values = json.loads(text)
    return text == old, values["broadcast"]["text"], values["mine"] == [1, 2]
print("kinds", sorted(set(at_every_step(save, look))))
"""
)

SECRETS = (
    CUT
    + """
from config import secrets
def look():
    found = len(json.loads(content("/secrets.json")))
    wifi = secrets.get("wifi_password")
    assert secrets.get("admin_password") == secrets.get("admin_password")
    return found, wifi
print("kinds", sorted(set(at_every_step(lambda: secrets.get("admin_password"), look))))
"""
)

FIRST_RUN = (
    CUT
    + """
from admin import confirm, join, settingsfile
from failsafe import rollback
wifi = {"mode": "station", "hostname": "kitchen", "station_ssid": "Home"}
old = content("/config.json")
secret = content("/secrets.json")

def joins():
    settingsfile.save({"wifi": wifi})
    join._write_reason("")
    confirm.confirm_settings()

def reverts():
    settingsfile.save({"wifi": wifi})
    join._write_reason("nothing has reached the board")
    rollback.revert_settings()

def look():
    text = content("/config.json")
    values = json.loads(text)
    undo = rollback.exists("/config.undo-600")
    assert content("/secrets.json") == secret and values["mine"] == [1, 2]
    if text == old:
        return "old"
    assert values["wifi"] == wifi
    return "new, can be undone" if undo else "new"

results = []
for write in (joins, reverts):
    found = at_every_step(write, look)
    results.append((sorted(set(found)), found[-1]))
print("kinds", results)
"""
)

UPDATE = (
    CUT
    + """
from failsafe import rollback, watchdog
watchdog.arm = lambda ms: None
paths = ("/www/new", "/www/changed", "/www/gone")
def look():
    rollback.start()
    return rollback.state(), [content(path) for path in paths if rollback.exists(path)]
print("kinds", sorted(set([str(kind) for kind in at_every_step(rollback.start, look)])))
"""
)
TODO = '{"seconds": 10, "new": ["/www/new"], "changed": ["/www/changed"], "gone": ["/www/gone"]}'


def run(make_board, program, files):
    """Run a program on a board with littlefs; return the kinds of results that it has found."""
    files = {"boot.py": "", "main.py": "", **files}
    board = make_board(littlefs=True, files=files, wait=False, heap="400k")
    board.wait_for_log(">>> $")
    output = board.exec(program, timeout=60)
    steps, cuts, kinds = output.partition("steps ")[2].replace("\n", " ").split(" ", 2)
    assert int(steps) == int(cuts) > 10  # all but the last one were cut
    return kinds.partition("kinds ")[2].strip()


def test_a_power_cut_while_saving_leaves_old_or_new_settings(make_board):
    old = '{"broadcast": {"text": "old", "interval": 1}, "mine": [1, 2]}'
    found = run(make_board, SETTINGS, {"config.json": old})
    assert found == "[(False, 'new', True), (True, 'old', True)]"


def test_a_power_cut_while_a_password_is_made_keeps_the_others(make_board):
    found = run(make_board, SECRETS, {"secrets.json": '{"wifi_password": "unchanged1"}'})
    assert found == "[(1, 'unchanged1'), (2, 'unchanged1')]"


def test_a_power_cut_in_the_first_run_leaves_old_or_new_settings(make_board):
    old = '{"broadcast": {"interval": 0}, "mine": [1, 2]}'
    files = {"config.json": old, "secrets.json": '{"wifi_password": "unchanged1"}'}
    found = run(make_board, FIRST_RUN, {**files, "join.reason": "an earlier one"})
    joins = (["new", "new, can be undone", "old"], "new")
    reverts = (["new, can be undone", "old"], "old")
    assert ast.literal_eval(found) == [joins, reverts]


def test_an_update_is_installed_whenever_the_power_fails(make_board):
    files = {"/www/changed": "old", "/www/gone": "old", "/update/todo": TODO}
    files |= {"/update/new/www/changed": "new", "/update/new/www/new": "new", "/update/old/x": ""}
    found = run(make_board, UPDATE, files)
    assert found == "[\"('trial-1', ['new', 'new'])\"]"
