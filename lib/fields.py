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
        "country": ("", "text", 0, 2),
        "hostname": ("esp32-ws", "text", 1, 32),
        "station_ssid": ("", "text", 0, 32),
        "station_password": ("", "text", 0, 63),
        "station_timeout": (20, "number", 1, 600),
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
    "broadcast": {
        "interval": (5, "number", 0, 86400),
        "text": ("Server broadcast: Hello #{}", "text", 0, 500),
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
    if len(wifi["country"]) == 1:
        problems.append("wifi.country: must be two letters; using ''")
        wifi["country"] = ""


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
        if isinstance(value, str) and limits[0] <= len(value.encode()) <= limits[1]:
            return None
        return "a text of %d to %d bytes" % limits
    if kind == "password":
        if value is None or isinstance(value, str) and len(value.encode()) in range(8, 64):
            return None
        return None if value == "" else "a text of 8 to 63 bytes, or '' for an open network"
    if kind == "ip":
        parts = value.split(".") if isinstance(value, str) else ()
        if len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts):
            return None
        return "an address such as '192.168.4.1'"
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
