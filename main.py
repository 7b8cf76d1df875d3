"""Runs after boot.py: serves lib/demo.py. Replace it with your own application."""

import gc
import sys


def log(level, text):
    if level >= 20:  # wsserver.INFO
        print(text)


try:
    if "safe_mode" not in globals():  # set by boot.py after too many failed starts
        gc.threshold(1024)  # see boot.py
        import startup

        server = startup.start(log, globals().pop("settings", None))
        del startup, sys.modules["startup"]
        gc.threshold(-1)
        gc.collect()
        server.run()
except Exception as error:
    server = None  # crash needs its memory
    gc.collect()
    from failsafe import crash

    crash.restart(error)  # logs the error to /crash.log
finally:
    if "failsafe.watchdog" in sys.modules:  # after Ctrl-C nothing feeds it any more
        sys.modules["failsafe.watchdog"].rest()
