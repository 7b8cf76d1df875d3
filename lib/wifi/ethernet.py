"""Start Ethernet: a PHY at the chip's own controller (RMII), or a controller on SPI (W5500).

See MicroPython's quick reference for the ESP32, "LAN". Loaded at startup, if it is used.
"""

import network
from machine import SPI, Pin

from .addresses import set_address, wait

_SPI = ("W5500", "DM9051", "KSZ8851SNL")


def start(net: dict, log):
    """Activate Ethernet; return the address, or None after network.timeout seconds.

    Raises OSError, ValueError or AttributeError if the driver refuses, or lacks the PHY.
    """
    phy, pins = net["ethernet_phy"], net["ethernet_pins"]
    log("network: starting Ethernet (%s)" % phy)
    # Without SPI Ethernet the module lacks the name.
    options = {"phy_type": getattr(network, "PHY_" + phy), "phy_addr": net["ethernet_address"]}
    buses = ("sck", "mosi", "miso")
    for name, number in pins.items():
        if name not in buses:
            options[name] = Pin(number)
    if phy in _SPI:
        bus = {name: Pin(pins[name]) for name in buses}
        options["spi"] = SPI(net["ethernet_spi"], **bus)
    if net["ethernet_clock"]:
        options["ref_clk_mode"] = Pin.IN if net["ethernet_clock"] == "in" else Pin.OUT
    lan = net["interface"] = network.LAN(**options)
    lan.active(True)
    set_address(lan, net, log)
    address = wait(lan, net)
    if address:
        log("network: Ethernet has %s" % address)
    else:
        log("network: Ethernet has no address: no cable, or no DHCP server")
    return address
