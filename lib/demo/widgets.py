"""The demo's widgets: LED, chat and status. Loaded while a page is connected."""

import json
from time import ticks_diff, ticks_ms, time

from micropython import const

from . import led, meter
from .room import Room

_FRESH = const(500)  # ms for which a measurement is used
_DEMO = const("/demo")


def add(panel, settings: dict, started: int):
    """Add the widgets to a panel. Return a function that ends the measurement.

    settings: the section "demo". started: time() at startup.
    """
    server = panel.server
    lamp = led.find(settings, server.log)
    if lamp:
        _add_lamp(panel, server, lamp)
    panel.custom("chat", "Chat", Room(server))
    status = Status(server, started)
    _add_status(panel, status)
    return status.stop


def _add_lamp(panel, server, lamp):
    def switch(value):
        lamp.switch(value)
        state = lamp.state()
        state["type"] = "led"
        server.broadcast(json.dumps(state), _DEMO)

    panel.switch("LED", lambda: lamp.state()["on"], switch, icon="lamp")
    if "color" in lamp.state():

        def set_colour(value):
            switch(list(value))

        panel.colour("LED colour", lambda: lamp.state()["color"], set_colour, icon="colour")


def _add_status(panel, status):
    group = {"group": "Status"}
    total = (meter.heap()["used"] + meter.heap()["free"]) >> 10
    panel.value("Heap in use", status.heap, "KB", chart=True, maximum=total, **group)
    panel.value("CPU", status.cpu, "%", chart=True, maximum=100, **group)
    panel.value("Messages per second", status.messages, chart=True, **group)
    panel.custom("round-trip", "Round trip", status, **group)
    panel.value("Free heap", lambda: _kilo(meter.heap()["free"]), "KB", **group)
    panel.value("Free system memory", lambda: _kilo(meter.idf_heap()["free"]), "KB", **group)
    label = "Largest free block of the system's heap"
    panel.value(label, lambda: _kilo(meter.idf_heap()["largest"]), "KB", **group)
    panel.value("Received", status.bytes, "B/s", **group)
    panel.value("Running for", status.uptime, "s", **group)
    if meter.temperature() is not None:
        panel.value("Chip temperature", meter.temperature, "\u00b0C", **group)
    if meter.wifi()["mode"] == "ap":
        panel.value("Devices in its network", lambda: len(meter.wifi()["stations"]), **group)
    else:
        panel.value("Wi-Fi signal", lambda: meter.wifi()["rssi"], "dBm", **group)


def _kilo(count):
    return round(count / 1024, 1)


class Status:
    """Load and traffic since the last second."""

    def __init__(self, server, started: int):
        self._started = started
        self._meter = meter.Meter(server)
        self._last = ticks_ms()
        self._values = [0, 0.0, 0]

    def on_command(self, client, value):
        """Refuse commands: the page measures the round trip by itself."""
        raise ValueError("this value can only be read")

    def stop(self):
        """End the measurement."""
        self._meter.stop()

    def heap(self):
        """Return KB of the GC heap in use."""
        return _kilo(meter.heap()["used"])

    def cpu(self):
        """Return the percentage of time in which the server's loop was busy."""
        return self._measured()[0]

    def messages(self):
        """Return the messages received per second, without those of pages."""
        return self._measured()[1]

    def bytes(self):
        """Return the bytes received per second, without those of pages."""
        return self._measured()[2]

    def uptime(self):
        """Return seconds since startup, in steps of 5."""
        return (time() - self._started) // 5 * 5

    def _measured(self):
        now = ticks_ms()
        elapsed = ticks_diff(now, self._last)
        if elapsed >= _FRESH:
            found = self._meter
            waited, messages, received = found.waited, found.messages, found.bytes
            found.update()
            busy = 1 - (found.waited - waited) / elapsed
            self._values = [
                round(100 * min(max(busy, 0), 1)),
                round((found.messages - messages) * 1000 / elapsed, 1),
                (found.bytes - received) * 1000 // elapsed,
            ]
            self._last = now
        return self._values
