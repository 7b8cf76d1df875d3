"""The names of a board: host names and addresses, as certificates contain them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from tools.settings import parse, rules

Name = x509.DNSName | x509.IPAddress

_LABEL = r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"

# What no one on the internet can own: reserved names (RFC 6762, 6761, 8375, ICANN's .internal) and
# one that many home routers use; private, link-local and loopback addresses.
LOCAL: tuple[Name, ...] = (
    *(x509.DNSName(name) for name in ("local", "localhost", "home.arpa", "internal", "lan")),
    *(
        x509.IPAddress(ipaddress.ip_network(network))
        for network in (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
            *("fc00::/7", "fe80::/10", "::1/128"),
        )
    ),
)


def parse_name(text: str) -> Name:
    """Return a host name (also "*.lab.local") or an address.

    Raises ValueError if the text is neither.
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    name = text.lower().rstrip(".")
    plain = name[2:] if name.startswith("*.") else name
    labels = plain.split(".")
    # All digits at the end: an address with a slip of the pen.
    valid = all(re.fullmatch(_LABEL, label) for label in labels) and not labels[-1].isdigit()
    if not valid or len(name) > 253 or ("*" in name and len(labels) < 2):
        raise ValueError(f"{text!r} is neither a host name nor an address")
    return x509.DNSName(name)


def board_names(config: Path) -> list[Name]:
    """Return the names that every board has, and those from its config.json.

    A value that the board would refuse is ignored.
    """
    try:
        raw = parse(config.read_bytes())
    except (OSError, ValueError, RecursionError):
        raw = {}
    settings = rules().validate(raw)[0]
    wifi = settings["wifi"]
    names = [f"{wifi['hostname']}.local", "localhost", wifi["ip"], "192.168.4.1", "127.0.0.1"]
    static = settings.get("network", {}).get("address", "").partition("/")[0]
    names += [static] if static else []
    return list(dict.fromkeys(parse_name(name) for name in names))


def is_within(name: Name, subtrees: Sequence[x509.GeneralName]) -> bool:
    """Return whether a name is in one of the subtrees that an authority is restricted to."""
    if isinstance(name, x509.IPAddress):
        address = ipaddress.ip_network(name.value).network_address
        networks = [subtree.value for subtree in subtrees if isinstance(subtree, x509.IPAddress)]
        return any(address in ipaddress.ip_network(network) for network in networks)
    ends = [subtree.value for subtree in subtrees if isinstance(subtree, x509.DNSName)]
    return any(f".{name.value}".endswith(f".{end}") for end in ends)


def subtree_of(name: Name) -> Name:
    """Return the smallest subtree that contains a name."""
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(name.value))
    return x509.DNSName(name.value.removeprefix("*."))
