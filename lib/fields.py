"""What may be in config.json: every field with its default and its range, and the check of all.

docs/settings.md describes them for people. Only needed while settings are read: see `settings`.
"""

# field: (default, what it may be...). Lengths and sizes in bytes, times in seconds.
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
        "max_clients": (2, "int", 1, 1000),
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
    },
    "limits": {
        "connections": (None, "int or null", 1, 1000),
        "handshakes": (None, "int or null", 1, 100000),
        "messages": (None, "int or null", 1, 100000),
        "bytes": (None, "int or null", 1, 100000000),
    },
}


def validate(raw) -> tuple:
    """(settings, problems) of what a config.json holds; a problem is a sentence about a field."""
    problems = []
    settings = {}
    sections = _object(raw, "the file", problems)
    for section in sections:
        if section not in _FIELDS:
            problems.append("%s: no such section; there are %s" % (section, _list(_FIELDS)))
    for section, fields in _FIELDS.items():
        given = _object(sections.get(section, {}), section, problems)
        settings[section] = values = {}
        for name in given:
            if name not in fields:
                text = "%s.%s: no such field; there are %s"
                problems.append(text % (section, name, _list(fields)))
        for name, rule in fields.items():
            values[name] = rule[0]
            if name in given:
                problem = _problem(given[name], *rule[1:])
                if problem:
                    text = "%s.%s: must be %s; using %r"
                    problems.append(text % (section, name, problem, rule[0]))
                else:
                    values[name] = given[name]
    _check_together(settings, problems)
    return settings, problems


def _check_together(settings, problems):
    wifi = settings["wifi"]
    if wifi["mode"] == "station" and not wifi["station_ssid"]:
        problems.append("wifi.station_ssid: needed for mode 'station'; using mode 'ap'")
        wifi["mode"] = "ap"
    tls = settings["tls"]
    if tls["enabled"] and tls["port"] == settings["server"]["port"]:
        problems.append("tls.port: must be another than server.port; using no TLS")
        tls["enabled"] = False


def _object(value, name, problems):
    if isinstance(value, dict):
        return value
    problems.append("%s: must be an object {...}; using defaults" % name)
    return {}


def _list(names):
    return ", ".join(sorted(names))


def _problem(value, kind, *limits):
    """What the value must be, if it is not that."""
    if kind == "choice":
        return None if value in limits else " or ".join(repr(choice) for choice in limits)
    if kind == "flag":
        return None if isinstance(value, bool) else "true or false"
    if kind == "text":
        if limits[0] <= _size(value) <= limits[1]:
            return None
        return "a text of %d to %d bytes, without \\ud800 to \\udfff" % limits
    if kind == "password":
        if value is None or value == "" or 8 <= _size(value) <= 63:
            return None
        return "a text of 8 to 63 bytes, or '' for an open network"
    if kind == "secret":
        return None if value is None or 8 <= _size(value) <= 63 else "a text of 8 to 63 bytes"
    if kind == "texts":
        if isinstance(value, list) and len(value) <= 8 and not _wrong_sizes(value, *limits):
            return None
        return "a list of at most 8 texts of %d to %d bytes" % limits
    if kind == "country":
        if value == "" or _size(value) == 2 and _only(value, "AZ09"):
            return None
        return "two capital letters such as 'DE', or ''"
    if kind == "hostname":
        if (
            1 <= _size(value) <= 32
            and _only(value, "azAZ09--")
            and "-" not in value[0] + value[-1]
        ):
            return None
        return "1 to 32 letters, digits and hyphens, none at its ends"
    if kind == "ip":
        return None if _is_address(value) else "an address of a device such as '192.168.4.1'"
    if kind.endswith(" or null"):
        if value is None:
            return None
        kind = kind[:-8]
    types = int if kind == "int" else (int, float)
    # A bool is an int to isinstance, but not to whoever wrote the file.
    if (
        isinstance(value, types)
        and not isinstance(value, bool)
        and limits[0] <= value <= limits[1]
    ):
        return None
    return "%s from %s to %s" % (kind, limits[0], limits[1])


def _wrong_sizes(texts, least, most):
    return [text for text in texts if not least <= _size(text) <= most]


def _size(value):
    """The bytes of a text; -1: it is none.

    Nor is one with half of a character in it: json.loads leaves "\\ud83d\\ude00" as two halves on
    MicroPython, and no peer takes them for UTF-8.
    """
    if not isinstance(value, str) or any(0xD800 <= ord(char) < 0xE000 for char in value):
        return -1
    return len(value.encode())


def _only(text, ranges):
    """Whether all characters are in one of the ranges "azAZ": a to z, A to Z."""
    bounds = range(0, len(ranges), 2)
    return all(any(ranges[at] <= char <= ranges[at + 1] for at in bounds) for char in text)


def _is_address(value):
    """Whether a device may have it: a network's own address, loopback, multicast are none."""
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
