"""Start the interfaces of network.order, in this order, until one has an address.

Loaded at startup, and only if config.json has a `network` section.
"""

import network


def start(net: dict, log, starters: dict) -> str:
    """Return the address of the first interface that gets one, or "".

    starters: {kind: function without arguments} for "station" and "ap".
    The interface is left in net["interface"], so that it is not collected. Without an address,
    Ethernet stays active: the server listens on every interface that comes up later.
    """
    for kind in net["order"]:
        try:
            address = _start(kind, net, log, starters)
        except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            log("network: %s does not start: %s" % (kind, error))
            address = None
        if address:
            return address
    log("network: no interface has an address: %s" % ", ".join(net["order"]))
    return ""


def _start(kind, net, log, starters):
    if kind == "ethernet":
        from . import ethernet

        return ethernet.start(net, log)
    if kind == "ppp":
        from . import ppp

        return ppp.start(net, log)
    if not hasattr(network, "WLAN"):
        log("network: %s: this chip has no Wi-Fi" % kind)
        return None
    return starters[kind]()


def known_networks(station, wifi: dict, net: dict, log) -> list:
    """Return [(name, password)] of the known networks: visible ones first, by signal strength.

    The station gets the static address of the settings, if there is one.
    """
    from .addresses import set_address

    set_address(station, net, log)
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
