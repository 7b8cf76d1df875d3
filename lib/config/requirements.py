"""The texts for values of config.json that are not valid. Loaded for the first such value.

This module also runs on the host (tools).
"""

from json import dumps

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


def describe(kind: str, limits) -> str:
    """Return the requirement of a kind of fields: what a value must be."""
    if kind in _TEXTS:
        return _TEXTS[kind] % limits
    if kind == "choice":
        return " or ".join([dumps(choice) for choice in limits])
    what = "a whole number" if kind.startswith("int") else "a number"
    or_null = ", or null" if kind.endswith("?") else ""
    return "%s from %s to %s%s" % (what, limits[0], limits[1], or_null)
