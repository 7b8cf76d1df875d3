"""From the settings to a server that listens. Only needed at start: main.py drops it."""

import gc
import sys

import network


def start(log):
    """A server that serves the demo as the settings say; log(level, text) is its log."""
    gc.collect()
    room = bytearray(20000)  # see boot.py
    import protection
    import secure
    import settings

    config = settings.load(log=settings.quiet)  # boot.py has printed what is wrong with them
    guard = protection.rules(config)
    tls = config.pop("tls")
    admin = config.pop("admin")
    context = secure.context(tls, print)
    for name in ("protection", "secure"):
        del sys.modules[name]
    del config["wifi"], config["limits"], protection, secure, settings, room
    # The server's buffers need room in one piece: it is kept free while all else is loaded.
    gc.collect()
    room = bytearray(4200), bytearray(4600)
    import broadcast  # noqa: F401
    import stations

    import opening  # isort: skip

    del room
    gc.collect()
    server, port, secured = opening.server(config["server"], tls, context, guard, log)
    del sys.modules["opening"], opening
    import demo

    from wsserver import lazy

    demo.build(server, config, tls["port"] if secured and tls["redirect"] else None)
    del sys.modules["demo"]
    if admin["enabled"]:
        for path in ("/settings", "/update"):
            lazy.route(server, path, "admin", admin["password"])
    server.every(2000, stations.watch)
    if server.portal:
        import portal

        portal.start(server)
        del sys.modules["portal"], portal
    timeout = config["watchdog"]["timeout"]
    if timeout or "trial" in sys.modules:  # boot.py has loaded it, or nothing is to be proved
        import trial

        trial.watch(server, timeout)
        del sys.modules["trial"]
    both = " and wss://" if secured else ""
    print("serving ws://%s:%d/ws%s" % (_address(), port, both))
    return server


def _address():
    """The board's address; 0.0.0.0 while it has none."""
    ap = network.WLAN(network.AP_IF)
    return (ap if ap.active() else network.WLAN(network.STA_IF)).ifconfig()[0]
