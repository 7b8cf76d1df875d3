"""The schema of config.json: the default and the valid range of every field, and their validation.

docs/settings.md describes the fields. This module also runs on the host (tools).
"""

from json import dumps  # values in messages are written as in the file

# field: (default, kind, limits...). A kind with "?" allows null. Lengths and sizes in bytes, times
# in seconds.
_FIELDS: dict = {
    "wifi": {
        "mode": ("ap", "choice", "ap", "station"),
        "ssid": ("ESP32-WS-Server", "text", 1, 32),
        "password": (None, "password"),
        "channel": (6, "int", 1, 13),
        "hidden": (False, "flag"),
        "max_stations": (4, "int", 1, 4),
        "ip": ("192.168.4.1", "ip"),
        "country": ("", "country"),
        "hostname": ("esp32-ws", "hostname"),
        "station_ssid": ("", "text", 0, 32),
        "station_password": ("", "text", 0, 63),
        "station_timeout": (20, "number", 1, 600),
        "captive_portal": (True, "flag"),
    },
    "server": {
        "port": (80, "int", 1, 65535),
        "max_clients": (5, "int", 1, 1000),
        "max_size": (4096, "int", 1, 0x3FFFFFFF),
        "ping_interval": (20, "number?", 0.05, 86400),
        "ping_timeout": (20, "number?", 0.05, 86400),
        "close_timeout": (5, "number", 0.05, 600),
        "open_timeout": (10, "number", 0.05, 600),
        "purge": (None, "choice", None, "lru"),
        "write_limit": (None, "int?", 512, 0x3FFFFFFF),
        "read_size": (None, "int?", 64, 65536),
        "max_head": (2048, "int", 64, 16384),
    },
    "tls": {
        "enabled": (True, "flag"),
        "port": (443, "int", 1, 65535),
        "cert": ("/certs/server.crt.der", "text", 1, 64),
        "key": ("/certs/server.key.der", "text", 1, 64),
        "client_ca": ("", "text", 0, 64),
        "max_clients": (3, "int", 1, 1000),
        "reserved": (1, "int", 0, 1000),
        "redirect": (False, "flag"),
    },
    "broadcast": {
        "interval": (5, "number", 0, 86400),
        "text": ("Server broadcast: Hello #{}", "text", 0, 500),
    },
    "demo": {
        "enabled": (True, "flag"),
        "led_pin": (None, "int?", -1, 48),
        "led_kind": (None, "choice", None, "pin", "pin_low", "neopixel"),
    },
    "admin": {
        "enabled": (True, "flag"),
        "password": (None, "secret"),
        "boot_pin": (None, "int?", -1, 54),
    },
    "watchdog": {
        "timeout": (0, "number", 0, 600),
    },
    "log": {
        "buffer": (None, "int?", 0, 4096),
    },
    "access": {
        "hosts": ([], "texts", 1, 64),
        "origins": ([], "texts", 1, 64),
        "proxies": ([], "texts", 2, 45),
        "maintenance_tls": (True, "flag"),
    },
    "limits": {
        "connections": (None, "int?", 1, 1000),
        "handshakes": (None, "int?", 1, 100000),
        "messages": (None, "int?", 1, 100000),
        "bytes": (None, "int?", 1, 100000000),
    },
}


def fields(name: str) -> dict:
    """Return the rules of a section: {field: (default, kind, limits...)}."""
    if name == "fleet":
        from .fleet import fields as rules

        return rules
    return _FIELDS[name]


def validate(raw, has_large_heap: bool = True) -> tuple:
    """Return (settings, problems) for parsed JSON; each problem is a sentence about a field.

    has_large_heap=False: also refuse buffers that a board without PSRAM cannot allocate.
    """
    problems = []
    log = problems.append
    settings = {}
    sections = _object(raw, "the whole file", log)
    known = list(_FIELDS) + ["fleet", "network"]
    for section in sections:
        if section not in known:
            log("%s: unknown section; known are %s" % (section, ", ".join(sorted(known))))
    for section in known[:-1]:
        if section == "fleet" and section not in sections:
            settings[section] = {"enabled": False, "password": ""}  # saves 2 KB
            continue
        given = _object(sections.get(section, {}), section, log)
        rules = fields(section)
        for field in given:
            if field not in rules:
                text = "%s.%s: unknown field; known are %s"
                log(text % (section, field, ", ".join(sorted(rules))))
        values = settings[section] = {}
        for field, rule in rules.items():
            values[field] = rule[0]
            if field in given:
                problem = _problem(given[field], *rule[1:])
                if problem:
                    text = "%s.%s: must be %s; using %s"
                    log(text % (section, field, problem, dumps(rule[0])))
                else:
                    values[field] = given[field]
    if "network" in sections:  # its rules are loaded only if it is used
        from .network import validate as validate_network

        given = _object(sections["network"], "network", log)
        rules = (_problem, _is_device_address, _size)
        settings["network"] = validate_network(given, settings["wifi"], problems, rules)
    _check(settings, has_large_heap, log)
    return settings, problems


def _check(settings, has_large_heap, log):
    """Check fields whose buffers are allocated in one piece, and fields that need others.

    Without PSRAM no allocation may exceed 4,600 bytes: after a while the heap has no larger free
    block, and a larger request makes the GC heap grow into the memory that TLS needs. A send
    buffer is 270 bytes longer than write_limit, which is by default 160 bytes more than max_size.
    """
    server = settings["server"]
    for name, limit in (
        ("max_size", 4170),
        ("write_limit", 4330),
        ("read_size", 4600),
        ("max_head", 4600),
    ):
        if not has_large_heap and server[name] is not None and server[name] > limit:
            default = _FIELDS["server"][name][0]
            text = "server.%s: must be at most %d on a board without PSRAM; using %s"
            log(text % (name, limit, dumps(default)))
            server[name] = default
    wifi = settings["wifi"]
    if wifi["mode"] == "station" and not wifi["station_ssid"]:
        log("wifi.station_ssid: required in mode 'station'; using mode 'ap'")
        wifi["mode"] = "ap"
    fleet = settings["fleet"]
    if fleet["enabled"] and not fleet["host"]:
        log("fleet.host: required by fleet.enabled; using no broker")
        fleet["enabled"] = False
    tls = settings["tls"]
    if tls["enabled"] and tls["port"] == server["port"]:
        log("tls.port: must differ from server.port; using no TLS")
        tls["enabled"] = False


def _object(value, name, log):
    if isinstance(value, dict):
        return value
    log("%s: must be an object {...}; using defaults" % name)
    return {}


def _problem(value, kind, *limits):
    """Return the requirement that the value does not meet, or None if it is valid."""
    if _is_valid(value, kind, *limits):
        return None
    from .requirements import describe  # takes 1.5 KB, and most files are valid

    return describe(kind, limits)


# Long: one branch a kind, and a function each would take a name for every kind.
def _is_valid(value, kind, *limits):
    """Return whether a value is valid for a kind; `requirements` describes the kinds."""
    if kind == "choice":
        return value in limits
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "ip":
        return _is_device_address(value)
    min, max = limits or (8, 63)
    if kind == "texts":
        if not isinstance(value, list) or len(value) > 8:
            return False
        return all(min <= _size(text) <= max for text in value)
    if value is None:
        return kind == "password" or kind == "secret" or kind.endswith("?")
    kind = kind.rstrip("?")
    if kind == "int" or kind == "number":
        types = int if kind == "int" else (int, float)
        # isinstance(True, int) is true, but true is not a number in JSON.
        return isinstance(value, types) and not isinstance(value, bool) and min <= value <= max
    if value == "":
        return kind == "password" or kind == "country" or min == 0
    size = _size(value)
    if kind == "country":
        return size == 2 and _only(value, b"AZ09")
    if kind == "topic":
        is_topic = 1 <= size <= 32 and _only(value, b"azAZ09--__//")
        return is_topic and "" not in value.split("/")
    if kind == "hostname":
        return 1 <= size <= 32 and _only(value, b"azAZ09--") and value == value.strip("-")
    return (kind == "text" or kind == "password" or kind == "secret") and min <= size <= max


def _is_device_address(value):
    """Return whether a device can have this IPv4 address: not loopback, multicast, broadcast."""
    try:
        parts = [int(part) for part in value.split(".")]
    except (AttributeError, ValueError):
        return False
    if len(parts) != 4 or "%d.%d.%d.%d" % tuple(parts) != value:
        return False
    return (
        all(0 <= part < 256 for part in parts)
        and parts[0] in range(1, 224)
        and parts[0] != 127
        and parts[3] in range(1, 255)
    )


def _size(value):
    """Return the UTF-8 length of a string, or -1 if it is not valid.

    Strings with surrogates are invalid: MicroPython's json.loads() decodes "\\ud83d\\ude00" as
    two surrogates, and no peer accepts those as UTF-8. Their encoding begins with ED A0 to ED BF.
    """
    if not isinstance(value, str):
        return -1
    try:
        data = value.encode()
    except UnicodeError:  # on the host
        return -1
    at = data.find(b"\xed")
    while at >= 0:
        if data[at + 1] >= 0xA0:
            return -1
        at = data.find(b"\xed", at + 1)
    return len(data)


def _only(text, values):
    """Return whether all characters are in the ranges: b"azAZ" means a to z and A to Z."""
    bounds = range(0, len(values), 2)
    # A loop over a str would intern each character.
    return all(
        any(values[at] <= byte <= values[at + 1] for at in bounds) for byte in text.encode()
    )
