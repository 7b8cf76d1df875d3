"""Confirm that a start has succeeded, and feed the watchdog: both with timers of the server.

Loaded at startup; only the timers remain.
"""

import os

from micropython import const

from wsserver.room import load

_PROVEN = const(10000)  # ms of serving after which a start has succeeded
_TRIAL = const(60000)  # ms of the watchdog while an update is on trial, without a setting
_SHORTEST = const(1000)  # ms; MicroPython before 1.21 takes no less


def watch(server, timeout: float) -> None:
    """Start the timers of a server that listens. timeout: seconds of the watchdog; 0: off."""
    pending = [
        folder + name
        for folder, prefix in (("/update/", "trial-"), ("/", "failed-"))
        for name in _names(folder[:-1] or "/")
        if name.startswith(prefix)
    ]
    ms = max(_SHORTEST, int(timeout * 1000))
    if not timeout:
        ms = _TRIAL if pending and pending[0].startswith("/update") else 0
    if ms:
        from failsafe import watchdog

        server.every(min(_SHORTEST, ms // 4), watchdog.arm(ms))
    if pending:
        server.after(_PROVEN, lambda: _confirm(pending))


def _confirm(pending):
    if pending[0].startswith("/update"):
        _check_updates()
    for path in pending:
        os.remove(path)
        print("start confirmed: removed %s" % path)


def _check_updates():
    """Treat a version that cannot take further updates as failed."""
    try:
        load("admin.update", "")
    except MemoryError:  # says nothing about the modules
        pass
    except Exception as error:
        load("failsafe.crash", "").restart(error)


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:  # no such folder
        return ()
