"""The demo's widgets: LED, chat and status. Loaded while they are described or set.

They are tuples, in the form in which a panel stores them: the class Panel and its checks would
need 5 KB more while a page connects.
"""

import gc

import esp32
import network
from micropython import const

from wsserver import lazy

_GROUP = const(("group", "Status"))
_CHART = const(("chart", True))
_KB = const(("unit", "KB"))


def make(status) -> list:
    """Return the widgets, and choose the sensors of a demo.status.Status."""
    settings = status.settings
    switch = ("demo.led", status.server, settings)
    if status.lamps is None:
        lamp = lazy.call("demo.lamp", "find", settings, status.server.log)
        status.lamps = len(lamp.state()) if lamp else 0
    widgets: list = []
    if status.lamps:
        widgets.append(("switch", "LED", (status.read, 0), switch, "icon", "lamp"))
    if status.lamps > 1:
        colour = ("colour", "LED colour", (status.read, 1), switch, "icon", "colour")
        widgets.append(colour)
    widgets.append(("chat", "Chat", None, "demo.chat"))

    def add(label, *options):
        get = (status.read, len(widgets))
        widgets.append(("value", label, get, None) + _GROUP + options)

    add("Heap in use", *_CHART, *_KB, "maximum", (lazy.free_heap() + gc.mem_alloc()) >> 10)
    add("CPU", *_CHART, "unit", "%", "maximum", 100)
    add("Messages per second", *_CHART)
    widgets.append(("round-trip", "Round trip", None, None) + _GROUP)
    add("Free heap", *_KB)
    add("Free system memory", *_KB)
    add("Largest free block of the system's heap", *_KB)
    add("Received", "unit", "B/s")
    add("Running for", "unit", "s")
    if _find_wlan(status):
        add("Devices in its network")
    else:
        add("Wi-Fi signal", "unit", "dBm")
    if _find_sensor(status):
        add("Chip temperature", "unit", "\u00b0C")
    return widgets


def _find_wlan(status):
    """Choose what the Wi-Fi can report. Return whether it is the board's own network."""
    if not hasattr(network, "WLAN"):  # Ethernet or PPP
        return False
    status.wlan = network.WLAN(network.AP_IF)
    status.key = "stations"
    if not status.wlan.active():
        status.wlan = network.WLAN(network.STA_IF)
        status.key = "rssi"
    return status.key == "stations"


def _find_sensor(status):
    """Choose the chip's temperature sensor. Return it, or None."""
    status.sensor = getattr(esp32, "mcu_temperature", None)
    if not status.sensor:
        status.sensor = getattr(esp32, "raw_temperature", None)  # the first ESP32's
        status.fahrenheit = bool(status.sensor)
    return status.sensor
