"""Says when a start has succeeded, and has the watchdog fed: both by timers of the loop itself.

Only needed at start; what it sets up stays where there is something to wait for.
"""

import gc
import os
import sys

from micropython import const

_PROVEN = const(10000)  # ms of serving after which a start has succeeded
_TRIAL = const(60000)  # ms of the watchdog for an update on trial, without a setting
_LEAST = const(1000)  # ms; what older releases take


def watch(server, timeout: float) -> None:
    """For a server that listens. timeout: "watchdog.timeout" of the settings, s; 0: none."""
    pending = [
        folder + name
        for folder, kind in (("/update/", "trial-"), ("/", "failed-"))
        for name in _names(folder[:-1] or "/")
        if name.startswith(kind)
    ]
    ms = max(_LEAST, int(timeout * 1000))
    if not timeout:
        ms = _TRIAL if pending and pending[0].startswith("/update") else 0
    if ms:
        import watchdog

        server.every(min(_LEAST, ms // 4), watchdog.arm(ms))
    if pending:
        server.after(_PROVEN, lambda: _succeed(pending))


def _succeed(pending):
    if pending[0].startswith("/update"):
        _check_updates()
    for path in pending:
        os.remove(path)
        print("this start has succeeded: %s is done with" % path)


def _check_updates():
    """A version that takes no updates any more has failed, however well it serves."""
    before = set(sys.modules)
    try:
        __import__("admin")
        __import__("updates")
    except MemoryError:  # says nothing about them
        pass
    except Exception as error:
        import crash

        crash.restart(error)
    for name in list(sys.modules):
        if name not in before:
            del sys.modules[name]
    gc.collect()


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return ()
