"""Runs after boot.py: serves lib/demo.py. Put an application of your own in its place."""

import gc
import sys

# While code is loaded, garbage is collected often: see boot.py.
gc.threshold(1024)

import secure
import settings

config = settings.load()
port, tls = config["server"].pop("port"), config["tls"]
context = secure.context(tls, print)
del secure, sys.modules["secure"]

# The server's buffers need room in one piece: it is kept free while everything else is loaded.
gc.collect()
room = bytearray(gc.mem_free() // 5)

import demo
import stations
import wsserver.reception  # what server.listen() would load later
from wsserver import INFO, Server


def log(level, text):
    if level >= INFO:
        print(text)


del room
gc.collect()
server = Server(log=log, max_tls=tls["max_clients"], **config["server"])
demo.build(server, config, tls["port"] if context and tls["redirect"] else None)
server.every(2000, stations.watch)
server.listen(port)
if context:
    server.listen(tls["port"], tls=context)
del config, settings, sys.modules["settings"], tls, wsserver
gc.threshold(-1)
print("serving ws://%s:%d/ws%s" % (stations.address(), port, " and wss://" if context else ""))
server.run()
