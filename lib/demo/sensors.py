"""Read the sensors of the board: memory, temperature, Wi-Fi. `status` uses meter() alone."""

import gc

import esp32
import network

from wsserver.lazy import free_heap

from .meter import Meter


def meter(server) -> Meter:
    """Return the server's Meter. Each user calls its stop() at the end."""
    # The server has one hook for it, so that /demo and /panel share one meter.
    found = getattr(server, "meter", None)
    if not found:
        found = server.meter = Meter(server)
    found.users += 1
    return found


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
