"""Runs after boot.py: serves lib/demo.py. Put an application of your own in its place."""

import gc
import sys

gc.collect()
# The server's buffers need room in one piece: it is kept free while everything else is loaded,
# with the collector running often (see boot.py).
gc.threshold(1024)
room = bytearray(gc.mem_free() // 5)

import demo
import settings
import stations
import wsserver.reception  # what server.listen() would load later
from wsserver import INFO, Server


def log(level, text):
    if level >= INFO:
        print(text)


config = settings.load()
port = config["server"].pop("port")
del room
gc.collect()
server = Server(log=log, **config["server"])
demo.build(server, config)
server.every(2000, stations.watch)
server.listen(port)
del config, settings, sys.modules["settings"], wsserver
gc.threshold(-1)
print("serving ws://%s:%d/ws" % (stations.address(), port))
server.run()
