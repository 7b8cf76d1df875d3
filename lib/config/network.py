"""The schema of the `network` section of config.json. Loaded only if the file has that section.

docs/settings.md describes the fields. This module also runs on the host (tools).
"""

from json import dumps

KINDS = ("ethernet", "ppp", "station", "ap")
_PHYS = {  # by PHY: the pins that it needs
    "LAN8710": ("mdc", "mdio"),
    "LAN8720": ("mdc", "mdio"),
    "IP101": ("mdc", "mdio"),
    "RTL8201": ("mdc", "mdio"),
    "DP83848": ("mdc", "mdio"),
    "KSZ8041": ("mdc", "mdio"),
    "KSZ8081": ("mdc", "mdio"),
    "W5500": ("sck", "mosi", "miso", "cs", "int"),
    "DM9051": ("sck", "mosi", "miso", "cs", "int"),
    "KSZ8851SNL": ("sck", "mosi", "miso", "cs", "int"),
}
# field: (default, kind, limits...), as in schema.
_FIELDS: dict = {
    "order": ([], "order"),
    "wifi": ([], "networks"),
    "address": ("", "cidr"),
    "gateway": ("", "address"),
    "dns": ("", "address"),
    "ipv6": (False, "flag"),
    "timeout": (20, "number", 1, 600),
    "ethernet_phy": ("LAN8720", "choice") + tuple(_PHYS),
    "ethernet_address": (1, "int", 0, 31),
    "ethernet_pins": ({}, "pins"),
    "ethernet_clock": (None, "choice", None, "in", "out"),
    "ethernet_spi": (1, "int", 1, 2),
    "ppp_uart": (1, "int", 0, 4),
    "ppp_pins": ({}, "pins"),
    "ppp_baud": (115200, "int", 1200, 5000000),
    "ppp_login": ("none", "choice", "none", "pap", "chap"),
    "ppp_user": ("", "text", 0, 63),
    "ppp_password": ("", "text", 0, 63),
}
_MAX_NETWORKS = 8
_MAX_PIN = 54


def validate(given, wifi: dict, problems: list, rules: tuple) -> dict:
    """Return the values of the section, and append sentences about invalid ones to `problems`.

    rules: functions of schema: the problem of a value of its kinds, whether a text is a device's
    address, and the UTF-8 length of a text.
    """
    values = {}
    for name in given:
        if name not in _FIELDS:
            text = "network.%s: unknown field; known are %s"
            problems.append(text % (name, ", ".join(sorted(_FIELDS))))
    for name, rule in _FIELDS.items():
        values[name] = rule[0]
        if name in given:
            check = _CHECKS.get(rule[1])
            problem = check(given[name], rules) if check else rules[0](given[name], *rule[1:])
            if problem:
                text = "network.%s: must be %s; using %s"
                problems.append(text % (name, problem, dumps(rule[0])))
            else:
                values[name] = given[name]
    _check_order(values, wifi, problems)
    return values


def _check_order(values, wifi, problems):
    """Remove what the order names although its settings are missing."""
    phy = values["ethernet_phy"]
    order = []
    for kind in values["order"]:
        missing = ""
        if kind == "ethernet":
            missing = ", ".join([pin for pin in _PHYS[phy] if pin not in values["ethernet_pins"]])
            if missing:
                missing = "network.ethernet_pins: %s needs %s" % (phy, missing)
        elif kind == "station" and not (values["wifi"] or wifi["station_ssid"]):
            missing = "network.wifi: required for 'station'"
        elif kind == "ppp" and values["ppp_login"] != "none" and not values["ppp_user"]:
            missing = "network.ppp_user: required for ppp_login %r" % values["ppp_login"]
        if missing:
            problems.append("%s; using no %s" % (missing, kind))
        else:
            order.append(kind)
    values["order"] = order


def _order_problem(value, _):
    if isinstance(value, list) and all(kind in KINDS and value.count(kind) == 1 for kind in value):
        return None
    return "a list of %s, each at most once" % ", ".join([repr(kind) for kind in KINDS])


def _networks_problem(value, rules):
    size = rules[2]
    is_list = isinstance(value, list) and len(value) <= _MAX_NETWORKS
    if is_list and all(_is_network(entry, size) for entry in value):
        return None
    text = 'a list of at most %d networks such as {"ssid": "Home", "password": "secret"}'
    return text % _MAX_NETWORKS


def _is_network(entry, size):
    if not isinstance(entry, dict) or not set(entry) <= {"ssid", "password"}:
        return False
    return 1 <= size(entry.get("ssid")) <= 32 and 0 <= size(entry.get("password", "")) <= 63


def _cidr_problem(value, rules):
    if value == "":
        return None
    if isinstance(value, str):
        address, _, bits = value.partition("/")
        if rules[1](address) and bits.isdigit() and 8 <= int(bits) <= 30:
            return None
    return "an address with the length of its network, such as '192.168.1.50/24', or ''"


def _address_problem(value, rules):
    if value == "" or rules[1](value):
        return None
    return "an address such as '192.168.1.1', or ''"


def _pins_problem(value, _):
    if isinstance(value, dict) and all(
        isinstance(pin, int) and not isinstance(pin, bool) and 0 <= pin <= _MAX_PIN
        for pin in value.values()
    ):
        return None
    return 'an object with numbers of pins, such as {"mdc": 23, "mdio": 18}'


_CHECKS = {
    "order": _order_problem,
    "networks": _networks_problem,
    "cidr": _cidr_problem,
    "address": _address_problem,
    "pins": _pins_problem,
}
