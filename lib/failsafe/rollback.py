"""Install an OTA update at startup, and roll it back if it does not work.

The state is the name of a file. It changes by one rename, so a power cut leaves the old state or
the new one. All steps between two renames can be repeated from any point.

/update/todo     a complete update is in /update/new and must be installed
/update/trial-N  the update is installed, the old files are in /update/old, this is start N
/update/undo     the update must be rolled back
/update/undone   it has been rolled back

Without any of these there is nothing to do. `admin.confirm` ends a trial.

/config.undo-S has the settings before a change that is not confirmed yet. They are restored if
starts fail, too, unless something was deployed after the change: then S begins with a 0.
"""

import gc
import json
import os

import machine
from micropython import const

from . import UNDO_SETTINGS, bootcount

_MAX_TRIALS = const(3)  # starts of an update until it is rolled back
_UPDATE = "/update/"


def start() -> bool:
    """Continue an update. Return False if too many starts have failed: start only Wi-Fi then."""
    cause = machine.reset_cause()
    if cause == machine.WDT_RESET:
        _note("the watchdog restarted the board: its loop hung", False)
        failed()
    try:
        if _continue_update(cause):
            return True
    except (OSError, ValueError, KeyError) as error:
        print("update: %r: the files stay as they are" % error)
    count = bootcount.failures()
    if count < bootcount.MAX_FAILURES:
        return True
    if _blame_settings(count):
        return True
    bootcount.set_failures(bootcount.MAX_FAILURES - 1)  # so each restart is one more attempt
    bootcount.repeats("")  # whose traceback is printed in full
    what = "the application is not started" if exists("/app") else "main.py does nothing"
    print("safe mode: %d starts failed, so %s now." % (count, what))
    print("/crash.log has the reason. A restart tries again; corrected files repair the board")
    print("(docs/safety.md).")
    return False


def failed() -> None:
    """Count one more failed start."""
    bootcount.failed()


def state() -> str:
    """Return the name of the update's state, or "" if there is no update."""
    try:
        names = os.listdir("/update")
    except OSError:  # no such folder
        return ""
    for name in names:
        if name in ("todo", "undo", "undone") or name.startswith("trial-"):
            return name
    return ""


def revert_settings() -> bool:
    """Restore the settings before an unconfirmed change. Return False if there is none."""
    name = _undo()
    if name:
        _move(name, "/config.json")
    return bool(name)


def _undo():
    """Return the path of the settings before an unconfirmed change, or ""."""
    for name in os.listdir("/"):
        if name.startswith(UNDO_SETTINGS) and not name.endswith(".new"):
            return "/" + name
    return ""


def _blame_settings(count):
    """Revert the settings if their change is the latest one. Return whether it was."""
    name = _undo()
    if not name or name.startswith("/" + UNDO_SETTINGS + "0"):
        return False
    revert_settings()
    _note("settings: %d starts failed: the last change is reverted" % count)
    bootcount.set_failures(0)
    return True


def _date_settings(mark):
    """Note whether something was deployed after an unconfirmed change: mark is "0" or ""."""
    name = _undo()
    prefix = "/" + UNDO_SETTINGS
    new = prefix + mark + name[len(prefix) :].lstrip("0")
    if name and name != new:
        os.rename(name, new)


def _continue_update(cause):
    """Perform the next step of an update. Return True while it is on trial."""
    name = state()
    if not name or name == "undone":
        return False
    # littlefs completes a move that a power cut has interrupted when it next writes. Until then it
    # may hide another file of that folder, which would not be installed.
    os.rename(_UPDATE + name, _UPDATE + name)
    with open(_UPDATE + name) as file:
        update = json.load(file)
    restarted = cause in (machine.HARD_RESET, machine.WDT_RESET)  # not: power-on, soft reset
    if name == "todo":
        name = _install(update)
    elif name != "undo" and restarted:
        count = int(name[6:])
        if count >= _MAX_TRIALS and _blame_settings(count):
            count = 0
        name = _set_state(name, "trial-%d" % (count + 1) if count < _MAX_TRIALS else "undo")
    if name == "undo":
        _roll_back(update)
        return False
    print("update: %s of %d starts on trial" % (name, _MAX_TRIALS))
    if cause != machine.SOFT_RESET:
        ms = update["seconds"] * 1000
        update.clear()  # the watchdog stays: not behind a hundred paths, which leave a hole
        gc.collect()
        # Whatever prevents the new version from serving, the board restarts.
        from . import watchdog

        watchdog.arm(ms)
    return True


def _set_state(name, new):
    os.rename(_UPDATE + name, _UPDATE + new)
    return new


def _install(update):
    print("update: installing")
    try:
        _date_settings("0")
        for path in update["changed"] + update["new"]:
            fresh = _UPDATE + "new" + path
            if exists(fresh):  # else it has been installed already
                _keep(path)
                _move(fresh, path)
        for path in update["gone"]:
            _keep(path)
    except OSError as error:  # the flash is full or worn out
        print("update: %r" % error)
        return _set_state("todo", "undo")
    return _set_state("todo", "trial-1")


def _keep(path):
    """Move a file to /update/old, where _roll_back finds it."""
    if exists(path):
        _move(path, _UPDATE + "old" + path)


def _roll_back(update):
    # Here, because the version that failed may have had no memory for its own note.
    _note("update: it failed: rolling back")
    for path in update["changed"] + update["gone"]:
        old = _UPDATE + "old" + path
        if exists(old):  # else it has been restored already
            _move(old, path)
    for path in update["new"]:
        if exists(path):
            os.remove(path)
    _date_settings("")
    bootcount.set_failures(0)
    _set_state("undo", "undone")


def _move(old, new):
    make_folders(new)
    os.rename(old, new)  # littlefs replaces the file, in one step


def make_folders(path: str) -> None:
    """Create the missing folders of a path."""
    at = path.find("/", 1)
    while at > 0:
        if not exists(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def exists(path: str) -> bool:
    """Return whether there is a file or folder with this name."""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _note(text, is_shown=True):
    """Add a line to the crash log, and print it if nothing else has done so."""
    if is_shown:
        print(text)
    try:
        from . import crashlog

        crashlog.note(text)
    except (OSError, MemoryError) as error:  # must not prevent the start
        print("rollback: %r" % error)
