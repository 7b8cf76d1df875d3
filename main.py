"""Runs after boot.py: serves lib/demo.py. Put an application of your own in its place."""

import gc
import sys

gc.threshold(1024)  # see boot.py

import firmware


def log(level, text):
    if level >= 20:  # wsserver.INFO
        print(text)


server = firmware.start(log)
del firmware, sys.modules["firmware"]
gc.threshold(-1)
gc.collect()
server.run()
