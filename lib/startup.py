"""Create a listening server from the settings.

Loaded at startup only; main.py unloads it.

The order matters on a chip: modules that stay loaded come first. They then lie at the low end of
the heap, and the rest stays contiguous. No allocation may exceed the largest free block, or the GC
heap grows into the memory that TLS needs.
"""

import gc
import os
import socket

from micropython import const

import wsserver
from wsserver import lazy

_DEFAULT_PORT = const(80)  # used if server.port is not available
_HTTP_SOCKETS = const(2)  # kept free for HTTP requests, so that one can reach the admin's page
_MAX_PROBE = const(64)  # sockets; more than any chip has
_MONITOR_MS = const(2000)
_FOR_TLS = const(51500)  # bytes of the IDF heap: for a context and two sessions, and a little more
# Seconds without a turn of the loop after which a board with an application restarts, if
# watchdog.timeout is not set: an application may hang, and must not prevent the next deployment.
_APPLICATION_TIMEOUT = const(60)


def start(log, settings=None, safe: bool = False):
    """Return a listening server with the application; log(level, text) is its log.

    settings: those that boot.py has read; None reads them. safe: leave out the application, which
    has failed too often (safe mode).
    Raises OSError if not even port 80 is available, and what the application raises.
    """
    if settings is None:
        settings = lazy.call("config.loader", "load")
    _divide_memory(settings["tls"])
    server = _create_server(settings, log)
    _set_access(server, settings)
    context = _create_context(settings["tls"])
    ipv6 = "network" in settings and settings["network"]["ipv6"]
    port = _listen(server, settings["server"]["port"], ipv6)
    secure = _listen_tls(server, settings["tls"]["port"], context, ipv6)
    board = _serve(server, settings, secure, safe)
    if server.portal:
        from wifi import captive_portal

        captive_portal.start(server)
    fleet = settings["fleet"]["enabled"] and not safe
    _limit_clients(server, _HTTP_SOCKETS + fleet)
    if fleet:
        lazy.load("fleet").start(board)
    address = lazy.call("wifi.interfaces", "address")
    print("serving ws://%s:%d/ws%s" % (address, port, " and wss://" if secure else ""))
    return server


def _divide_memory(tls):
    """Leave enough of a chip's memory to TLS, and lower tls["max_clients"] to what fits.

    With one session, the GC heap may double: there is enough memory for both.
    """
    if not tls["enabled"] or tls["max_clients"] < 2 or not _exists(tls["cert"]):
        return
    fits = lazy.call("wsserver.gcgrowth", "grow", _FOR_TLS)
    if fits is not None and fits < tls["max_clients"]:
        text = "tls.max_clients: using %d instead of %d: there is no memory for more"
        print(text % (fits, tls["max_clients"]))
        tls["max_clients"] = fits


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _create_server(settings, log):
    tls, fleet = settings["tls"], settings["fleet"]
    if fleet["enabled"] and fleet["tls"]:  # the connection to the broker takes one session
        tls["max_clients"] = max(1, tls["max_clients"] - 1)
    options = dict(settings["server"], max_tls=tls["max_clients"], tls_reserved=tls["reserved"])
    del options["port"]
    try:
        return wsserver.Server(log=log, **options)
    except (MemoryError, ValueError) as error:
        print("server: %s; using defaults for this section" % error)
    gc.collect()
    return wsserver.Server(log=log)


def _set_access(server, settings):
    """Set the host names that the server answers to, the captive portal and the rate limits."""
    wifi, access = settings["wifi"], settings["access"]
    name = wifi["hostname"].lower()
    server.hosts = [name, name + ".local", "localhost"]
    server.hosts.extend(host.lower() for host in access["hosts"])
    server.origins = access["origins"]
    server.proxies = access["proxies"]
    ap = lazy.call("wifi.interfaces", "access_point")
    if wifi["captive_portal"] and ap:
        server.portal = _url(ap.ifconfig()[0], settings["server"]["port"])
    if any(settings["limits"].values()):
        from wsserver.http.ratelimit import Limits

        server.limits = Limits(**settings["limits"])


def _url(address, port):
    return "http://%s%s/" % (address, "" if port == 80 else ":%d" % port)


def _listen(server, port, ipv6):
    """Listen on this port, or on port 80 if it is not available; return the port."""
    try:
        _open(server, port, ipv6)
        return port
    except OSError:  # the server has logged the reason
        if port == _DEFAULT_PORT:
            raise
    print("server.port: using %d instead" % _DEFAULT_PORT)
    _open(server, _DEFAULT_PORT, ipv6)
    if server.portal:
        server.portal = server.portal.replace(":%d/" % port, "/")
    return _DEFAULT_PORT


def _open(server, port, ipv6, context=None):
    """Listen on IPv4, and on IPv6 if it is wanted and MicroPython supports it."""
    if ipv6:
        try:
            server.listen(port, "::", context)
            return
        except OSError:  # the server has logged the reason
            print("network.ipv6: listening on IPv4 only")
    server.listen(port, tls=context)


def _create_context(tls):
    """Return the SSLContext, or None; the reason is logged."""
    try:
        return lazy.call("certificates.context", "from_settings", tls)
    except MemoryError:  # not even the code could be loaded
        print("TLS is disabled: out of memory (docs/tls.md)")
    return None


def _listen_tls(server, port, context, ipv6):
    """Listen for wss:// and https:// if there is a context; return whether it does."""
    if not context:
        return False
    try:
        _open(server, port, ipv6, context)
    except OSError:  # the server has logged the reason
        return False
    return True


def _serve(server, settings, secure, safe):
    """Register the application, the admin's pages and the timers. Return the Board."""
    tls, admin = settings["tls"], settings["admin"]
    https = tls["port"] if secure and tls["redirect"] else None
    lazy.load("wsserver.lazyroutes")  # stays: endpoints of the demo and the admin use it
    application = lazy.load("application")
    timeout = settings["watchdog"]["timeout"]
    if application.find() and not safe:
        timeout = timeout or _APPLICATION_TIMEOUT
        _watch_setup(timeout)
    board = application.start(server, settings, https, safe)
    lazy.unload("application")
    if admin["enabled"]:
        for path in ("/settings", "/update"):
            lazy.route(server, path, "admin.register", admin["password"])
        lazy.route(server, "/join", "admin.firstrun")
    monitor = lazy.load("wifi.wired" if "network" in settings else "wifi.monitor")  # stays
    if "network" in settings:
        monitor.watch(settings["network"])
    server.every(_MONITOR_MS, monitor.check)
    if not safe and (timeout or _is_unconfirmed()):
        lazy.load("failsafe.watchdog")  # stays: main.py looks for it
        lazy.call("admin.confirm", "watch", server, timeout)
    return board


def _watch_setup(timeout):
    """Start the watchdog: setup() of an application may never return."""
    watchdog = lazy.load("failsafe.watchdog")  # stays: main.py looks for it
    if "update" in os.listdir("/") and lazy.call("failsafe.rollback", "state")[:5] == "trial":
        return  # rollback has started it, with a timeout of its own
    watchdog.arm(max(1000, int(timeout * 1000)))


def _is_unconfirmed():
    """Return whether this start, an update or changed settings are not confirmed yet."""
    prefixes = ("failed-", "config.undo-")
    return any(name == "update" or name.startswith(prefixes) for name in os.listdir("/"))


def _limit_clients(server, kept):
    """Lower max_clients to the number of sockets that are left. kept: those for HTTP and fleet."""
    wanted = min(server.max_clients + kept, _MAX_PROBE)
    free = _count_free_sockets(wanted)
    if free < wanted:
        most = max(1, free - kept)
        text = "server.max_clients: using %d instead of %d: %d sockets are free, %d are for HTTP"
        text += " and the broker" if kept > _HTTP_SOCKETS else ""
        print(text % (most, server.max_clients, free, kept))
        server.max_clients = most


def _count_free_sockets(limit):
    """Return how many sockets can be opened, at most `limit`. Chips differ: most have ten."""
    opened = []
    try:
        while len(opened) < limit:
            opened.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    except OSError:
        pass
    for sock in opened:
        sock.close()
    return len(opened)
