"""What a board knows of itself: memory, temperature, Wi-Fi."""

import gc
import sys

import esp32
import network

_WORD = 8 if sys.maxsize >> 32 else 4  # bytes in a place of a list
_NEAR = 512  # bytes: so well the largest block is known


def heap() -> dict:
    """Bytes of MicroPython's heap: "free" and "used", and "largest", what can be allocated in one
    piece. Collects garbage.
    """
    gc.collect()
    free, used = gc.mem_free(), gc.mem_alloc()
    return {"free": free, "used": used, "largest": min(free, _largest(free))}


def _largest(free):
    """The heap can grow by what the system has in one piece, but to try that would take it for
    good: only larger pieces are tried.
    """
    least = idf()["largest"]
    most = free + _WORD
    automatic = gc.isenabled()
    gc.disable()  # else each failure would collect
    while most - least > _NEAR:
        middle = (least + most) // 2
        try:
            piece = [None] * (middle // _WORD)
            piece.clear()  # which frees it at once
            least = middle
        except MemoryError:
            most = middle
    if automatic:
        gc.enable()
    return least


def idf() -> dict:
    """Bytes of the system's own heap, which Wi-Fi, TLS and the growing heap of MicroPython take
    from: "free", and "largest", in one piece.
    """
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    return {
        "free": sum([region[1] for region in regions]),
        "largest": max([region[2] for region in regions]),
    }


def temperature():
    """Degrees Celsius inside the chip; None where it has no sensor."""
    celsius = getattr(esp32, "mcu_temperature", None)
    fahrenheit = getattr(esp32, "raw_temperature", None)  # the first ESP32's
    try:
        if celsius:
            return celsius()
        return round((fahrenheit() - 32) / 1.8) if fahrenheit else None
    except OSError:  # it is in use, or out of its range
        return None


def wifi() -> dict:
    """ "mode", and of an access point its "stations", else "rssi" in dBm, None while there is no
    connection. MicroPython does not tell how well an access point hears its stations.
    """
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
