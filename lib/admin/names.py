"""Names that modules in /lib and /app may have. Loaded with `admin.update`; runs on the host, too.

/app is searched last, but MicroPython prefers a file to most of its built-in modules.
"""

# The firmware's packages except failsafe, which an update never replaces, and its modules.
PACKAGES = ("admin", "certificates", "config", "demo", "fleet", "panel", "wifi", "wsserver")
MODULES = ("application", "startup")
_BUILT_IN = (
    " array asyncio binascii bluetooth boot builtins cmath collections cryptolib deflate errno"
    " esp esp32 espnow framebuf gc hashlib heapq io json lwip machine main math micropython mip"
    " neopixel network ntptime onewire os platform random re requests select socket ssl struct"
    " sys time tls uctypes umqtt urequests utime vfs websocket webrepl _boot _onewire _thread "
)


def is_taken(path: str) -> bool:
    """Return whether a file below /app would hide a module, or would be hidden by one.

    path: without the leading "/app/". Only the first name counts: that of a module or a folder.
    """
    name, _, rest = path.lower().partition("/")
    name, _, suffix = name.partition(".")
    if not rest and suffix not in ("py", "mpy"):
        return False  # a file of data
    return name in PACKAGES + MODULES + ("failsafe",) or " %s " % name in _BUILT_IN
