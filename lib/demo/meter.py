"""Measure the board: load, traffic, memory, temperature, Wi-Fi. For `stats` and `widgets`."""

import gc
from time import ticks_ms

import esp32
import network
from micropython import const

from wsserver.lazy import free_heap

_BYTES = const(2**30 - 1)  # a client's byte counter wraps after this
_PANEL = const("/panel")  # whose pages send messages all the time

_meters = []  # the server has one hook for all of them


class Meter:
    """Measure the load of the server's loop and its traffic, from its creation to stop().

    now: ticks_ms of the last update. waited: ms that the loop has waited. messages, bytes:
    received from all clients but the pages.
    """

    def __init__(self, server):
        self._server = server
        self._waited = 0  # us since the last update
        self._seen = {}  # client -> [its messages, its bytes at the last update]
        self.waited = self.messages = self.bytes = 0
        self.update()
        self.messages = self.bytes = 0
        _meters.append(self)
        server.on_wait(_add)

    def stop(self) -> None:
        """Stop measuring."""
        _meters.remove(self)
        if not _meters:
            self._server.on_wait(None)

    def count_wait(self, microseconds: int) -> None:
        """Add a wait of the loop."""
        self._waited += microseconds

    def update(self) -> None:
        """Add the load and traffic since the last update."""
        self.now = ticks_ms()
        self.waited += self._waited // 1000
        self._waited = 0
        clients = self._server.clients
        for client in clients:
            if client.path == _PANEL:
                continue
            seen = self._seen.get(client)
            if not seen:
                self._seen[client] = seen = [0, 0]
            self.messages += client.messages - seen[0]
            self.bytes += client.bytes - seen[1] & _BYTES
            seen[0] = client.messages
            seen[1] = client.bytes
        if len(self._seen) > len(clients):
            for client in list(self._seen):
                if client not in clients:
                    del self._seen[client]


def _add(microseconds):
    for one in _meters:
        one.count_wait(microseconds)


# --- the board


def heap() -> dict:
    """Return bytes of the GC heap, "used" and "free". Collects garbage."""
    free = free_heap()
    return {"used": gc.mem_alloc(), "free": free}


def idf_heap() -> dict:
    """Return bytes of the IDF heap, which Wi-Fi, TLS and a growing GC heap use.

    "free": the total. "largest": the largest free block.
    """
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    return {
        "free": sum([region[1] for region in regions]),
        "largest": max([region[2] for region in regions]),
    }


def temperature():
    """Return the chip's temperature in degrees Celsius, or None without a sensor."""
    celsius = getattr(esp32, "mcu_temperature", None)
    fahrenheit = getattr(esp32, "raw_temperature", None)  # the first ESP32's
    try:
        if celsius:
            return celsius()
        return round((fahrenheit() - 32) / 1.8) if fahrenheit else None
    except OSError:  # the sensor is in use, or out of its range
        return None


def wifi() -> dict:
    """Return "mode" and, for an access point, its "stations", else "rssi" in dBm or None.

    MicroPython does not report the signal strength of an access point's stations.
    """
    if not hasattr(network, "WLAN"):  # Ethernet or PPP
        return {"mode": "station", "rssi": None}
    ap = network.WLAN(network.AP_IF)
    if ap.active():
        # (MAC,) or (MAC, address), depending on the release.
        stations = [{"mac": entry[0].hex(":")} for entry in ap.status("stations")]
        return {"mode": "ap", "stations": stations}
    try:
        rssi = network.WLAN(network.STA_IF).status("rssi")
    except OSError:
        rssi = None
    return {"mode": "station", "rssi": rssi}
