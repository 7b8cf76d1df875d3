"""What comes first at a start: installs an update, and takes back one that does not start.

Everything is a file whose name is the state, changed by one rename, which is done or not when the
power goes; and what is done between two of them can be done again from any point of it.

/update/todo: a complete update is in /update/new, and is to be put in its place now.
/update/trial-N: it was put there, what it replaced is in /update/old, and this is its Nth start.
/update/undo: it is to be taken back. /update/undone: that is done. None of them: nothing to do.
/failed-N: the latest N starts have ended by themselves. `trial` removes it and the trial.

This module and those that it imports are never replaced over Wi-Fi. Only boot.py needs it.
"""

import json
import os

import machine
from micropython import const

_STARTS = const(3)  # that may fail in a row
_UPDATE = "/update/"


def start() -> bool:
    """Do what is to be done. False: too many starts have failed, only Wi-Fi is to be started."""
    cause = machine.reset_cause()
    if cause == machine.WDT_RESET:
        _note("the watchdog restarted the board: its loop hung")
        failed()
    try:
        if _update(cause):
            return True
    except (OSError, ValueError, KeyError) as error:
        print("update: %r: the files stay as they are" % error)
    if _failures() < _STARTS:
        return True
    _count(_STARTS - 1)  # so that each restart is one more try
    print("safe mode: %d starts failed, so main.py does nothing now." % _STARTS)
    print("/crash.log tells why. Any restart tries again; 'make deploy' repairs (docs/safety.md).")
    return False


def failed() -> None:
    """One more start has ended by itself."""
    _count(_failures() + 1)


def state() -> str:
    """The name of the update's state; "": there is none."""
    for name in _names("/update"):
        if name in ("todo", "undo", "undone") or name.startswith("trial-"):
            return name
    return ""


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:  # there is none
        return ()


# --- updates


def _update(cause):
    """Go on with an update; True: it is on trial."""
    name = state()
    if not name or name == "undone":
        return False
    with open(_UPDATE + name) as file:
        update = json.load(file)
    again = cause in (machine.HARD_RESET, machine.WDT_RESET)  # not: switched off and on
    if name == "todo":
        name = _install(update)
    elif name != "undo" and again:
        count = int(name[6:])
        name = _become(name, "trial-%d" % (count + 1) if count < _STARTS else "undo")
    if name == "undo":
        _take_back(update)
        return False
    print("update: %s of %d starts to prove itself" % (name, _STARTS))
    if cause != machine.SOFT_RESET:
        # Whatever keeps the new version from serving ends with a restart.
        import watchdog

        watchdog.arm(update["seconds"] * 1000)
    return True


def _become(name, new):
    os.rename(_UPDATE + name, _UPDATE + new)
    return new


def _install(update):
    print("update: installing")
    try:
        for path in update["changed"] + update["new"]:
            fresh = _UPDATE + "new" + path
            if exists(fresh):  # else it is in its place already
                _keep(path)
                _move(fresh, path)
        for path in update["gone"]:
            _keep(path)
    except OSError as error:  # a flash that is full or worn out
        print("update: %r" % error)
        return _become("todo", "undo")
    return _become("todo", "trial-1")


def _keep(path):
    """Put a file where _take_back finds it."""
    if exists(path):
        _move(path, _UPDATE + "old" + path)


def _take_back(update):
    print("update: it did not start: taking it back")
    for path in update["changed"] + update["gone"]:
        old = _UPDATE + "old" + path
        if exists(old):  # else it is back already
            _move(old, path)
    for path in update["new"]:
        if exists(path):
            os.remove(path)
    _count(0)
    _become("undo", "undone")


def _move(old, new):
    make_folders(new)
    try:
        os.rename(old, new)
    except OSError:
        if not exists(new):
            raise
        os.remove(new)  # FAT replaces nothing
        os.rename(old, new)


def make_folders(path: str) -> None:
    """Make those folders that a path is in and that are not there."""
    at = path.find("/", 1)
    while at > 0:
        if not exists(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def exists(path: str) -> bool:
    """Whether there is a file or folder of this name."""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


# --- failed starts


def _failures():
    for name in os.listdir("/"):
        if name.startswith("failed-"):
            return int(name[7:])
    return 0


def _count(number):
    now = _failures()
    try:
        if not now and number:
            open("/failed-%d" % number, "w").close()
        elif now and not number:
            os.remove("/failed-%d" % now)
        elif now != number:
            os.rename("/failed-%d" % now, "/failed-%d" % number)
    except OSError as error:  # a full flash
        print("recovery: %r" % error)


def _note(text):
    try:
        import crash

        crash.note(text)
    except Exception as error:  # it may come from an update
        print("recovery: %r" % error)
