"""Runs after boot.py: serves lib/demo.py. Put an application of your own in its place."""

import gc
import sys


def log(level, text):
    if level >= 20:  # wsserver.INFO
        print(text)


try:
    if "safe_mode" not in globals():  # boot.py says so after too many failed starts
        gc.threshold(1024)  # see boot.py
        import firmware

        server = firmware.start(log)
        del firmware, sys.modules["firmware"]
        gc.threshold(-1)
        gc.collect()
        server.run()
except Exception as error:
    server = None  # what follows needs its memory
    gc.collect()
    from failsafe import crash

    crash.restart(error)  # /crash.log tells of it
finally:
    if "failsafe.watchdog" in sys.modules:  # Ctrl-C: nobody feeds it at the prompt
        sys.modules["failsafe.watchdog"].rest()
