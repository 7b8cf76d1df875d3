"""Start PPP over a UART, such as to a modem or to `pppd` on a computer.

Loaded at startup, if it is used.
"""

import network
from machine import UART

from .addresses import set_dns, wait


def start(net: dict, log):
    """Connect; return the address, or None after network.timeout seconds.

    Raises OSError, ValueError or AttributeError if the driver refuses, or the build has no PPP.
    """
    log("network: starting PPP on UART %d" % net["ppp_uart"])
    uart = UART(net["ppp_uart"], baudrate=net["ppp_baud"], **net["ppp_pins"])
    ppp = net["interface"] = network.PPP(uart)
    if hasattr(ppp, "active"):  # before MicroPython 1.26
        ppp.active(True)
    dial(ppp, net)
    address = wait(ppp, net)
    if address:
        log("network: PPP has %s" % address)
        if net["dns"]:
            set_dns(net["dns"], log)
    else:
        log("network: PPP has no address: the peer does not answer, or refuses the login")
        ppp.disconnect()
    return address


def dial(ppp, net: dict) -> None:
    """Begin to connect. Raises OSError if it is connecting already."""
    login = net["ppp_login"]
    if login == "none":
        ppp.connect()
        return
    names = ("SEC_PAP", "AUTH_PAP") if login == "pap" else ("SEC_CHAP", "AUTH_CHAP")
    user, key = net["ppp_user"], net["ppp_password"]
    if hasattr(ppp, names[0]):
        ppp.connect(security=getattr(ppp, names[0]), user=user, key=key)
    else:  # before MicroPython 1.26
        ppp.connect(authmode=getattr(ppp, names[1]), username=user, password=key)
