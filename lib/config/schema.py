"""The schema of config.json: the default and the valid range of every field, and their validation.

docs/settings.md describes the fields. This module also runs on the host (tools).
"""

# field: (default, kind, limits...). Lengths and sizes in bytes, times in seconds.
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
        "ping_interval": (20, "number or null", 0.05, 86400),
        "ping_timeout": (20, "number or null", 0.05, 86400),
        "close_timeout": (5, "number", 0.05, 600),
        "open_timeout": (10, "number", 0.05, 600),
        "purge": (None, "choice", None, "lru"),
        "write_limit": (None, "int or null", 512, 0x3FFFFFFF),
        "read_size": (None, "int or null", 64, 65536),
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
        "led_pin": (None, "int or null", -1, 48),
        "led_kind": (None, "choice", None, "pin", "pin_low", "neopixel"),
    },
    "admin": {
        "enabled": (True, "flag"),
        "password": (None, "secret"),
    },
    "watchdog": {
        "timeout": (0, "number", 0, 600),
    },
    "access": {
        "hosts": ([], "texts", 1, 64),
        "origins": ([], "texts", 1, 64),
        "proxies": ([], "texts", 2, 45),
    },
    "limits": {
        "connections": (None, "int or null", 1, 1000),
        "handshakes": (None, "int or null", 1, 100000),
        "messages": (None, "int or null", 1, 100000),
        "bytes": (None, "int or null", 1, 100000000),
    },
    "fleet": {
        "enabled": (False, "flag"),
        "host": ("", "text", 0, 200),
        "port": (None, "int or null", 1, 65535),
        "tls": (False, "flag"),
        "ca": ("/certs/fleet.crt.der", "text", 0, 64),
        "user": ("", "text", 0, 64),
        "password": ("", "text", 0, 64),
        "prefix": ("boards", "topic"),
        "keepalive": (30, "int", 5, 3600),
        "backoff": (60, "number", 0.05, 3600),
        "queue": (4096, "int", 512, 0x3FFFFFFF),
        "overflow": ("oldest", "choice", "oldest", "newest"),
        "retain": (True, "flag"),
        "interval": (60, "number", 1, 86400),
        "max_senders": (8, "int", 1, 1000),
        "discovery": ("", "text", 0, 32),
        "ntp": ("pool.ntp.org", "text", 0, 64),
    },
}


# Fields whose buffers are allocated in one piece. Without PSRAM no allocation may exceed 4,600
# bytes: after a while the heap has no larger free block, and a larger request makes the GC heap
# grow into the memory that TLS needs. A send buffer is 270 bytes longer than write_limit, which is
# by default 160 bytes more than max_size.
_MAX_PIECE = (
    ("max_size", 4170),
    ("write_limit", 4330),
    ("read_size", 4600),
    ("max_head", 4600),
)


def fields(section: str) -> dict:
    """Return the rules of a section: {field: (default, kind, limits...)}."""
    return _FIELDS[section]


def validate(raw, large_heap: bool = True) -> tuple:
    """Return (settings, problems) for parsed JSON; each problem is a sentence about a field.

    large_heap=False: also refuse buffers that a board without PSRAM cannot allocate.
    """
    problems = []
    settings = {}
    sections = _object(raw, "the file", problems)
    for section in sections:
        if section not in _FIELDS and section != "network":
            known = _list(list(_FIELDS) + ["network"])
            problems.append("%s: unknown section; known are %s" % (section, known))
    for section, fields in _FIELDS.items():
        given = _object(sections.get(section, {}), section, problems)
        settings[section] = _section(section, fields, given, problems)
    if "network" in sections:  # its rules are loaded only if it is used
        from .network import validate as validate_network

        given = _object(sections["network"], "network", problems)
        rules = (_problem, _is_device_address, _size)
        settings["network"] = validate_network(given, settings["wifi"], problems, rules)
    if not large_heap:
        _check_buffers(settings["server"], problems)
    _check_combinations(settings, problems)
    return settings, problems


def _section(section, fields, given, problems):
    """Return all values of a section: those given if valid, else the defaults."""
    for name in given:
        if name not in fields:
            text = "%s.%s: unknown field; known are %s"
            problems.append(text % (section, name, _list(fields)))
    values = {}
    for name, rule in fields.items():
        values[name] = rule[0]
        if name in given:
            problem = _problem(given[name], *rule[1:])
            if problem:
                text = "%s.%s: must be %s; using %r"
                problems.append(text % (section, name, problem, rule[0]))
            else:
                values[name] = given[name]
    return values


def _check_buffers(server, problems):
    for name, limit in _MAX_PIECE:
        if server[name] is not None and server[name] > limit:
            default = _FIELDS["server"][name][0]
            text = "server.%s: must be at most %d on a board without PSRAM; using %r"
            problems.append(text % (name, limit, default))
            server[name] = default


def _check_combinations(settings, problems):
    wifi = settings["wifi"]
    if wifi["mode"] == "station" and not wifi["station_ssid"]:
        problems.append("wifi.station_ssid: required in mode 'station'; using mode 'ap'")
        wifi["mode"] = "ap"
    fleet = settings["fleet"]
    if fleet["enabled"] and not fleet["host"]:
        problems.append("fleet.host: required by fleet.enabled; using no broker")
        fleet["enabled"] = False
    tls = settings["tls"]
    if tls["enabled"] and tls["port"] == settings["server"]["port"]:
        problems.append("tls.port: must differ from server.port; using no TLS")
        tls["enabled"] = False


def _object(value, name, problems):
    if isinstance(value, dict):
        return value
    problems.append("%s: must be an object {...}; using defaults" % name)
    return {}


def _list(names):
    return ", ".join(sorted(names))


def _problem(value, kind, *limits):
    """Return the requirement that the value does not meet, or None if it is valid."""
    if kind in _TEXTS:
        return None if _is_valid(value, kind, *limits) else _TEXTS[kind] % limits
    if kind == "choice":
        return None if value in limits else " or ".join([repr(choice) for choice in limits])
    if kind.endswith(" or null"):
        if value is None:
            return None
        kind = kind[:-8]
    types = int if kind == "int" else (int, float)
    # isinstance(True, int) is true, but true is not a number in JSON.
    if (
        isinstance(value, types)
        and not isinstance(value, bool)
        and limits[0] <= value <= limits[1]
    ):
        return None
    return "%s from %s to %s" % (kind, limits[0], limits[1])


# The requirement to report, by kind.
_TEXTS: dict = {
    "flag": "true or false",
    "text": "a text of %d to %d bytes, without \\ud800 to \\udfff",
    "texts": "a list of at most 8 texts of %d to %d bytes",
    "password": "a text of 8 to 63 bytes, or '' for an open network",
    "secret": "a text of 8 to 63 bytes",
    "country": "two capital letters such as 'DE', or ''",
    "hostname": "1 to 32 letters, digits and hyphens, no hyphen at the ends",
    "ip": "a device address such as '192.168.4.1'",
    "topic": "1 to 32 letters, digits, _, - and /, no / at the ends",
}


def _is_valid(value, kind, min=8, max=63):
    """Return whether a value is valid for a kind of _TEXTS. min, max: bytes of a text."""
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "ip":
        return _is_device_address(value)
    if kind == "texts":
        if not isinstance(value, list) or len(value) > 8:
            return False
        return all(min <= _size(text) <= max for text in value)
    if value is None:
        return kind in ("password", "secret")
    if value == "":
        return kind in ("password", "country") or min == 0
    size = _size(value)
    if kind == "country":
        return size == 2 and _only(value, "AZ09")
    if kind == "topic":
        is_topic = 1 <= size <= 32 and _only(value, "azAZ09--__//")
        return is_topic and "" not in value.split("/")
    if kind == "hostname":
        return 1 <= size <= 32 and _only(value, "azAZ09--") and "-" not in value[0] + value[-1]
    return min <= size <= max


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
    two surrogates, and no peer accepts those as UTF-8.
    """
    if not isinstance(value, str) or any(0xD800 <= ord(char) < 0xE000 for char in value):
        return -1
    return len(value.encode())


def _only(text, ranges):
    """Return whether all characters are in the ranges: "azAZ" means a to z and A to Z."""
    bounds = range(0, len(ranges), 2)
    return all(any(ranges[at] <= char <= ranges[at + 1] for at in bounds) for char in text)
