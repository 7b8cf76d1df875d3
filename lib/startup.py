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
_LOG_SIZE = const(2048)  # bytes of log.buffer without the setting
# Bytes of the IDF heap that TLS keeps: for a context and sessions, and a little more. The code
# takes less of the GC heap in a ROMFS, and least when it is frozen: then it need not grow.
_FOR_TLS = const((51500, 75300, 1000000))  # two sessions, three, all; by inplace.level()
# Each chip, and the pin of its BOOT button, as in firmware/boards.toml; a test compares both. One
# text, because MicroPython would keep each name of a chip for ever.
_BOOT_PINS = const(
    "ESP32 0 ESP32S2 0 ESP32S3 0 ESP32C2 9 ESP32C3 9 ESP32C5 28 ESP32C6 9 ESP32H2 9 ESP32P4 35"
)
# Seconds without a turn of the loop after which a board with an application restarts, if
# watchdog.timeout is not set: an application may hang, and must not prevent the next deployment.
_APPLICATION_TIMEOUT = const(60)


# Long: the order of the start, which fits on a page only as a whole.
def start(log, settings=None, safe_mode: bool = False):
    """Return a listening server with the application; log(level, text) is its log.

    settings: those that boot.py has read; None reads them. safe_mode: leave out the application,
    which has failed too often.
    Raises OSError if not even port 80 is available, and what the application raises.
    """
    if settings is None:
        settings = lazy.call("config.loader", "load")
    _keep(settings["log"]["buffer"], settings["tls"])
    _divide_memory(settings["tls"])
    lazy.load("wsserver.server")  # stays
    lazy.load("wsserver.setup")  # once, not for each of the next calls
    server = _create(settings, log)
    ipv6 = "network" in settings and settings["network"]["ipv6"]
    context = None
    try:
        context = lazy.call("certificates.context", "from_settings", settings["tls"])
    except MemoryError:  # not even the code could be loaded
        print("TLS is disabled: out of memory (docs/tls.md)")
    port = _open(server, settings["server"]["port"], ipv6)
    _set_access(server, settings, port)
    try:
        if context:
            _open(server, settings["tls"]["port"], ipv6, context)
    except OSError:  # the server has logged the reason
        context = None
    secure = context is not None
    lazy.unload("wsserver.setup")
    lazy.load("wsserver.http.routes")  # once, not for each path
    board = _serve(server, settings, secure, safe_mode)
    if server.portal:
        from wifi import captive_portal

        captive_portal.start(server)
    fleet = settings["fleet"]["enabled"] and not safe_mode
    _limit_clients(server, _HTTP_SOCKETS + fleet)
    if fleet:
        lazy.load("fleet").start(board)
    if secure:
        lazy.call("wsserver.gcgrowth", "lower", server, settings["tls"])
    address = lazy.call("wifi.interfaces", "address")
    # An application may have no WebSocket at all; its page is at the root.
    scheme, path = ("ws", "ws") if "/ws" in server.routes else ("http", "")
    text = "serving %s://%s:%d/%s" % (scheme, address, port, path)
    if secure:
        text += " and %ss://%s:%d/%s" % (scheme, address, settings["tls"]["port"], path)
    print(text)
    if safe_mode:
        print("safe mode: correct the application and install it again (docs/safety.md)")
    globals().clear()  # else what the stack still refers to may keep all 5 KB of this module
    return server


def _keep(size, tls):
    """Keep the latest lines for the live log, in `size` bytes.

    None: without PSRAM, a board with TLS has no memory to spare for that, unless it is frozen.
    """
    if size is None:
        size = _LOG_SIZE
        is_short = tls["enabled"] and _exists(tls["cert"]) and not lazy.has_large_heap()
        if is_short and lazy.call("wsserver.inplace", "level", __file__) < 2:
            size = 0
    if size:
        lazy.load("admin.logring").start(size)  # stays


def _divide_memory(tls):
    """Leave enough of a chip's memory to TLS, and lower tls["max_clients"] to what fits.

    With one session, the GC heap may double: there is enough memory for both.
    """
    if not tls["enabled"] or tls["max_clients"] < 2 or not _exists(tls["cert"]):
        return
    keep = _FOR_TLS[lazy.call("wsserver.inplace", "level", __file__)]
    fits = lazy.call("wsserver.gcgrowth", "grow", keep)
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


def _create(settings, log):
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


def _set_access(server, settings, port):
    """Set the host names that the server answers to, the captive portal and the rate limits."""
    wifi, access = settings["wifi"], settings["access"]
    name = wifi["hostname"].lower()
    server.hosts = [name, name + ".local", "localhost"]
    server.hosts.extend(host.lower() for host in access["hosts"])
    server.origins = access["origins"]
    server.proxies = access["proxies"]
    ap = lazy.call("wifi.interfaces", "access_point")
    if wifi["captive_portal"] and ap:
        ip = ap.ifconfig()[0]
        server.portal = "http://%s/" % ip if port == 80 else "http://%s:%d/" % (ip, port)
    if any(settings["limits"].values()):
        server.limits = lazy.load("wsserver.http.ratelimit").Limits(**settings["limits"])


def _open(server, port, ipv6, context=None):
    """Listen on IPv4, and on IPv6 if it is wanted and MicroPython supports it.

    Return the port, which is 80 if there is no TLS and the wanted one is not available.
    """
    try:
        if ipv6:
            try:
                server.listen(port, "::", context)
                return port
            except OSError:  # the server has logged the reason
                print("network.ipv6: listening on IPv4 only")
        server.listen(port, tls=context)
        return port
    except OSError:  # the server has logged the reason
        if context or port == _DEFAULT_PORT:
            raise
    print("server.port: using %d instead" % _DEFAULT_PORT)
    return _open(server, _DEFAULT_PORT, ipv6)


# Long: once at each start, and each part would leave a name in memory.
def _serve(server, settings, secure, safe_mode):
    """Register the application, the admin's pages and the timers. Return the Board.

    secure: whether TLS serves, which the admin's pages may require.
    """
    lazy.load("wsserver.lazyroutes")  # stays: endpoints of the demo and the admin use it
    application = lazy.load("application")
    has_application = application.find() is not None
    _watch_button(server, settings, has_application)
    timeout = settings["watchdog"]["timeout"]
    if has_application and not safe_mode:
        timeout = timeout or _APPLICATION_TIMEOUT
        watchdog = lazy.load("failsafe.watchdog")  # stays: main.py looks for it
        state = "update" in os.listdir("/") and lazy.call("failsafe.rollback", "state")
        # On trial, rollback has started it, with a timeout of its own.
        if not state or state[:5] != "trial":
            watchdog.arm(max(1000, int(timeout * 1000)))  # setup() may never return
    reserved = secure and has_application and not safe_mode
    board = setup(application, server, settings, secure, safe_mode, reserved)
    lazy.unload("application", "wsserver.http.routes")
    if settings["admin"]["enabled"]:
        tls, port = settings["tls"], None
        if tls["enabled"] and settings["access"]["maintenance_tls"]:
            if secure:
                port = tls["port"]
            else:  # the owner must not be locked out
                print(
                    "maintenance: over http, because TLS does not serve (access.maintenance_tls):"
                    " passwords are sent unencrypted"
                )
        args = settings["admin"]["password"], port
        for path in ("/settings", "/update"):
            lazy.route(server, path, "admin.register", *args, guard="admin.access")
        lazy.route(server, "/join", "admin.firstrun", guard="admin.firstrun")
    monitor = lazy.load("wifi.wired" if "network" in settings else "wifi.monitor")  # stays
    if "network" in settings:
        monitor.watch(settings["network"])
    server.every(_MONITOR_MS, monitor.check)
    prefixes = ("failed-", "config.undo-", "reset-")  # this start or its settings are on trial
    if not safe_mode and (
        timeout or any(name == "update" or name.startswith(prefixes) for name in os.listdir("/"))
    ):
        lazy.load("failsafe.watchdog")  # stays: main.py looks for it
        lazy.call("admin.confirm", "watch", server, timeout)
    return board


def setup(application, server, settings, secure, safe_mode, reserved):
    """Set up the application, and return the Board.

    reserved: whether most of the memory of TLS is occupied meanwhile.
    Only _serve() calls this; a name of its own would stay in memory.
    """
    tls = settings["tls"]
    https = tls["port"] if secure and tls["redirect"] else None
    held = lazy.call("wsserver.gcsetup", "hold") if reserved else None
    # If it fails, the board restarts.
    board = application.start(server, settings, https, safe_mode)
    if held:
        lazy.call("wsserver.gcsetup", "release", held, server)
    return board


def _watch_button(server, settings, app):
    """Watch the BOOT button for a while. This is before setup(), which may use the pin itself."""
    pin = settings["admin"]["boot_pin"]
    if pin is None:
        # "ESP32C2 module with ESP32-C2"
        chip = os.uname().machine.split(" with ")[-1].replace("-", "")
        words = _BOOT_PINS.split()
        pin = int(words[words.index(chip) + 1]) if chip in words else -1
        net = settings.get("network")
        if chip == "ESP32" and net and "ethernet" in net["order"]:
            return  # GPIO 0 may be the clock of the PHY
    if pin < 0:
        return
    demo = settings["demo"]
    # The usual LED's pin may drive something else in an application. No function is passed on: it
    # would keep this module in memory.
    may_blink = not app or demo["led_pin"] is not None
    led = ("demo.lamp", demo) if may_blink else None
    try:
        lazy.call("admin.bootbutton", "watch", server, pin, led)
    except ValueError as error:
        print("admin.boot_pin: %d cannot be used: %s" % (pin, error))


def _limit_clients(server, reserved):
    """Lower max_clients to the sockets that are left. reserved: those for HTTP and fleet."""
    wanted = min(server.max_clients + reserved, _MAX_PROBE)
    opened = []  # chips differ: most have ten sockets
    try:
        while len(opened) < wanted:
            opened.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    except OSError:
        pass
    free = len(opened)
    for sock in opened:
        sock.close()
    if free < wanted:
        most = max(1, free - reserved)
        text = "server.max_clients: using %d instead of %d: %d sockets are free, %d are for HTTP"
        text += " and the broker" if reserved > _HTTP_SOCKETS else ""
        print(text % (most, server.max_clients, free, reserved))
        server.max_clients = most
