"""Confirm a start, an OTA update and changed settings once they have proved to work.

Loaded at startup if one of them is pending, or if the watchdog is on, and again for each timer
(`confirmtimers`). Anything that is not confirmed in time is reverted:

/failed-N         removed after 10 s of serving
/update/trial-N   removed by `make deploy` over the network (`admin.update`) or by a connection to
                  a broker; rolled back after three minutes of serving without it
/config.undo-S    the settings before a change, removed by the settings page (`admin.settings`) or
                  with the confirmation of an update;
                  restored after S seconds of serving without it
/reset-600        the passwords after BOOT was held (`admin.passwordreset`); generated anew
                  after ten minutes
"""

import os

from failsafe import UNDO_SETTINGS, rollback
from micropython import const

from wsserver import lazy

from . import confirmtimers

_PROVEN = const(10000)  # ms of serving after which a start has succeeded
_UNCONFIRMED = const(180000)  # ms of serving after which an update on trial is rolled back
_WATCHDOG = const(60000)  # ms of the watchdog while an update is on trial, without a setting
_SHORTEST = const(1000)  # ms; MicroPython before 1.21 needs at least this


def watch(server, timeout: float) -> None:
    """Start the timers of a listening server. timeout: of the watchdog, in seconds; 0: off."""
    on_trial = rollback.state().startswith("trial")
    ms = max(_SHORTEST, int(timeout * 1000)) if timeout else _WATCHDOG if on_trial else 0
    if ms:
        from failsafe import watchdog

        server.every(min(_SHORTEST, ms // 4), watchdog.arm(ms))
    if on_trial:
        confirmtimers.start(server, _PROVEN, "check_updates")
        confirmtimers.start(server, _UNCONFIRMED, "roll_back", server)
    elif _find("failed-"):
        confirmtimers.start(server, _PROVEN, "confirm_start")
    undo = _find(UNDO_SETTINGS)
    if undo:
        seconds = int(undo[len(UNDO_SETTINGS) :])
        confirmtimers.start(server, seconds * 1000, "revert_settings", server)
    if _find("reset-"):
        lazy.call("admin.passwordreset", "resume", server)


def confirm_update() -> None:
    """End the trial of an update.

    Raises OSError if the board has no address on an active interface.
    """
    if not _has_address():
        raise OSError("the board has no address")
    name = rollback.state()
    if name.startswith("trial"):
        os.remove("/update/" + name)
        print("update confirmed: removed /update/%s" % name)
        confirm_settings()  # it was reached with them
    confirm_start()


def confirm_settings() -> None:
    """Keep the changed settings."""
    undo = _find(UNDO_SETTINGS)
    if undo:
        os.remove("/" + undo)
        print("settings confirmed")


def _find(prefix):
    """Return the name of a file in the top folder, or None."""
    for name in os.listdir("/"):
        if name.startswith(prefix) and not name.endswith(".new"):  # see config.atomic
            return name
    return None


def _has_address():
    return lazy.call("wifi.interfaces", "address") != "0.0.0.0"


def confirm_start() -> None:
    """End the count of failed starts."""
    name = _find("failed-")
    if name:
        os.remove("/" + name)
        print("start confirmed: removed /%s" % name)


def check_updates() -> None:
    """Treat a version that cannot take further updates as failed."""
    before = lazy.loaded()
    try:
        lazy.load("admin.update")
    except MemoryError:  # does not mean that the module is broken
        pass
    except Exception as error:
        lazy.call("failsafe.crash", "restart", error)
    lazy.unload(*lazy.loaded(before))


def roll_back(server) -> None:
    """Roll back an update that is still on trial."""
    name = rollback.state()
    if name.startswith("trial"):
        _report("update: not confirmed within %d s: rolling back" % (_UNCONFIRMED // 1000))
        os.rename("/update/" + name, "/update/undo")
        lazy.load("admin.restart").soon(server)


def revert_settings(server) -> None:
    """Restore the settings before a change that is still not confirmed."""
    if rollback.revert_settings():
        _report("settings: not confirmed: the last change is reverted")
        lazy.load("admin.restart").soon(server)


def _report(text):
    print(text)
    try:
        lazy.call("failsafe.crashlog", "note", text)
    except (OSError, MemoryError) as error:
        print("confirm: %r" % error)
