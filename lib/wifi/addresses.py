"""Static addresses, DNS, and waiting for an address.

Loaded at startup, and only if config.json has a `network` section.
"""

import time

import network

_NONE = "0.0.0.0"


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
    deadline = time.ticks_add(time.ticks_ms(), int(net["timeout"] * 1000))
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        if interface.isconnected() and interface.ifconfig()[0] != _NONE:
            return interface.ifconfig()[0]
        time.sleep_ms(50)
    return None
