"""From the settings to a server that listens. Only needed at start: main.py drops it."""

import gc
import sys


def start(log):
    """A server that serves the demo as the settings say; log(level, text) is its log."""
    gc.collect()
    room = bytearray(20000)  # see boot.py
    import protection
    import secure
    import settings
    import trial

    config = settings.load(log=settings.quiet)  # boot.py has printed what is wrong with them
    guard = protection.rules(config)
    tls = config.pop("tls")
    admin = config.pop("admin")
    context = secure.context(tls, print)
    for name in ("protection", "secure", "trial"):
        del sys.modules[name]
    del config["wifi"], config["limits"], protection, secure, settings, room
    # The server's buffers need room in one piece: it is kept free while all else is loaded.
    gc.collect()
    room = bytearray(gc.mem_free() // 6)
    import demo
    import stations

    import wsserver.reception  # what server.listen() would load later

    del room
    gc.collect()
    port = config["server"].pop("port")
    server = wsserver.Server(log=log, max_tls=tls["max_clients"], **config["server"])
    server.hosts, server.portal, server.limits = guard
    demo.build(server, config, tls["port"] if context and tls["redirect"] else None)
    if admin["enabled"]:
        server.routes["/settings"] = server.routes["/update"] = ("admin", admin["password"])
    server.every(2000, stations.watch)
    server.listen(port)
    if context:
        server.listen(tls["port"], tls=context)
    trial.watch(server, config["watchdog"]["timeout"])
    both = " and wss://" if context else ""
    print("serving ws://%s:%d/ws%s" % (stations.address(), port, both))
    return server
