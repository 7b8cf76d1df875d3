"""Runs after boot.py: serves the application in /app, or the demo (docs/applications.md)."""

import builtins
import gc
import os
import sys


def log(level, text):
    if level >= 20:  # wsserver.INFO
        print(text)


def start():
    """Return a listening server. In a function, so that nothing refers to the settings later."""
    import startup

    return startup.start(log, globals().pop("settings", None), safe_mode)


def clear_stack(size):
    """Overwrite what start() has left on the stack. The collector would take it for references,
    and keep the settings, 2.5 KB, as long as the server runs."""
    if size:
        clear_stack(size - 1)


loaded = set(sys.modules)
# Set by boot.py after too many failed starts: then the application is left out, because it is
# probably the cause. Without one, nothing is started.
safe_mode = "safe_mode" in globals()
try:
    if not safe_mode or "app" in os.listdir("/"):
        gc.threshold(3072)  # see boot.py
        server = start()
        del sys.modules["startup"]
        gc.threshold(-1)
        clear_stack(20)
        del clear_stack
        gc.collect()
        server.run()
except Exception as error:
    builtins.print = builtins.print  # the built-in one again: admin.logring has replaced it
    # crash needs the memory of what has failed. Its own package stays: it may have the watchdog.
    server = None
    sys.modules.pop("startup", None)  # the list of the others needs memory, too
    gc.collect()
    for name in set(sys.modules) - loaded:
        if not name.startswith("failsafe"):
            sys.modules.pop(name, None)  # del fails for a name without a module (wsserver.lazy)
    gc.collect()
    from failsafe import crash

    crash.restart(error, not safe_mode)  # logs the error to /crash.log
finally:
    builtins.print = builtins.print
    if "failsafe.watchdog" in sys.modules:  # after Ctrl-C nothing feeds it any more
        sys.modules["failsafe.watchdog"].rest()
