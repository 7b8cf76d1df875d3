"""Power cuts at each byte of a file that is written: it has the old or the new content."""

# The flash of this program stops after a number of bytes and renames, as in a power cut.
CUT = """
import builtins, json, os

class Cut(BaseException):
    pass

left = None  # steps until the power cut; None: no cut
steps = 0
real_open, real_rename = open, os.rename

def step(most):
    '''Return how many of `most` steps have power.'''
    global left, steps
    done = most if left is None else min(most, left)
    steps += done
    if left is not None:
        left -= done
    return done

class File:
    def __init__(self, file):
        self.file = file
    def write(self, data):
        done = step(len(data))
        self.file.write(data[:done])
        if done < len(data):
            self.file.close()
            raise Cut
        return done
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.file.close()

def cut_open(path, mode="r"):
    return File(real_open(path, mode)) if "w" in mode else real_open(path, mode)

def cut_rename(old, new):
    if not step(1):
        raise Cut
    real_rename(old, new)

builtins.open, os.rename = cut_open, cut_rename

def content(path):
    with real_open(path) as file:
        return file.read()

def put(path, text):
    for name in os.listdir("/"):
        if name.endswith(".new") or name.startswith("config.undo-"):
            os.remove("/" + name)
    with real_open(path, "w") as file:
        file.write(text)

def at_every_step(path, old, write):
    '''Return the file's content after a power cut at each step, and after none.'''
    global left, steps
    put(path, old)
    left, steps = None, 0
    write()
    most, found = steps, []
    for number in range(most + 1):
        put(path, old)
        left = number
        try:
            write()
            cut = False
        except Cut:
            cut = True
        left = None
        found.append((cut, content(path)))
    return found
"""

SETTINGS = (
    CUT
    + """
from admin import settingsfile
old = '{"broadcast": {"text": "old", "interval": 1}, "mine": [1, 2]}'
def save():
    settingsfile.save({"broadcast": {"text": "new", "interval": 2}, "wifi": {"ssid": "Other"}})
found = at_every_step("/config.json", old, save)
kinds = set()
for _, text in found:
    values = json.loads(text)
    kinds.add((text == old, values["broadcast"]["text"], values["mine"] == [1, 2]))
print("steps", len(found), [cut for cut, _ in found].count(True))
print("kinds", sorted(kinds))
"""
)

SECRETS = (
    CUT
    + """
from config import secrets
old = '{"wifi_password": "unchanged1"}'
found = at_every_step("/secrets.json", old, lambda: secrets.get("admin_password"))
wifi = set()
for cut, text in found:
    put("/secrets.json", text)
    wifi.add(secrets.get("wifi_password"))
    assert secrets.get("admin_password") == secrets.get("admin_password")
print("steps", len(found), [cut for cut, _ in found].count(True))
print("wifi", wifi, {len(json.loads(text)) for _, text in found})
"""
)


def run(make_board, program):
    board = make_board(files={"main.py": program}, wait=False)
    return board, board.wait_for_log(r"steps (\d+) (\d+)", timeout=60)


def test_a_power_cut_while_saving_leaves_old_or_new_settings(make_board):
    board, steps = run(make_board, SETTINGS)
    assert int(steps[1]) > 80
    assert int(steps[2]) == int(steps[1]) - 1  # the last one was complete
    board.wait_for_log(r"kinds \[\(False, 'new', True\), \(True, 'old', True\)\]")


def test_a_power_cut_while_a_password_is_made_keeps_the_others(make_board):
    board, steps = run(make_board, SECRETS)
    assert int(steps[2]) == int(steps[1]) - 1
    assert int(steps[1]) > 60
    board.wait_for_log(r"wifi \{'unchanged1'\} \{[12], [12]\}")
