"""Start the interfaces of network.order, in this order, until one has an address.

Loaded at startup, and only if config.json has a `network` section.
"""

import network

from . import connect

_NONE = "0.0.0.0"


def start(wifi: dict, net: dict, get_secret, log) -> str:
    """Return the address of the first interface that gets one, or "".

    The interface is left in net["interface"], so that it is not collected. Without an address,
    Ethernet stays active: the server listens on every interface that comes up later.
    """
    for kind in net["order"]:
        try:
            address = _start(kind, wifi, net, get_secret, log)
        except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            log("network: %s does not start: %s" % (kind, error))
            address = None
        if address:
            return address
    log("network: no interface has an address: %s" % ", ".join(net["order"]))
    return ""


def _start(kind, wifi, net, get_secret, log):
    if kind == "ethernet":
        from . import ethernet

        return ethernet.start(net, log)
    if kind == "ppp":
        from . import ppp

        return ppp.start(net, log)
    if not hasattr(network, "WLAN"):
        log("network: %s: this chip has no Wi-Fi" % kind)
        return None
    if kind == "station":
        return connect.join(wifi, log, net)
    return connect.open_access_point(wifi, get_secret, log)


def known_networks(station, wifi: dict, net: dict) -> list:
    """Return [(name, password)] of the known networks: visible ones first, by signal strength."""
    known = [(entry["ssid"], entry.get("password", "")) for entry in net["wifi"]]
    if wifi["station_ssid"]:
        known.insert(0, (wifi["station_ssid"], wifi["station_password"]))
    if len(known) < 2:
        return known
    try:
        visible = {entry[0]: entry[3] for entry in station.scan()}
    except OSError:  # the driver is busy
        return known
    # A hidden network is not in the list: it comes last.
    return sorted(known, key=lambda pair: -visible.get(pair[0].encode(), -1000))


def set_address(interface, net: dict, log) -> None:
    """Give an interface the static address of the settings, if there is one."""
    address, _, bits = net["address"].partition("/")
    if address:
        gateway = net["gateway"] or _NONE
        interface.ifconfig((address, netmask(int(bits)), gateway, net["dns"] or gateway))
    elif net["dns"]:
        set_dns(net["dns"], log)


def set_dns(address: str, log) -> None:
    """Use a DNS server instead of the one that DHCP names. Needs MicroPython 1.23."""
    try:
        network.ipconfig(dns=address)
    except (AttributeError, ValueError, OSError, TypeError) as error:
        log("network.dns: %s cannot be used: %s" % (address, error))


def netmask(bits: int) -> str:
    """Return the mask of a network with `bits` fixed bits: 24 is "255.255.255.0"."""
    mask = (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    return ".".join([str(mask >> shift & 255) for shift in (24, 16, 8, 0)])


def wait(interface, net: dict):
    """Return the interface's address, or None after network.timeout seconds."""
    import time

    deadline = time.ticks_add(time.ticks_ms(), int(net["timeout"] * 1000))
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        if interface.isconnected() and interface.ifconfig()[0] != _NONE:
            return interface.ifconfig()[0]
        time.sleep_ms(50)
    return None
