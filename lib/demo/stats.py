"""Reports about the board: load, memory, temperature, Wi-Fi and clients."""

import gc
import json
import sys
from time import ticks_diff, ticks_us, time

import esp32
import network
from micropython import const

_LONGEST = const(3600)  # seconds between two reports
_BYTES = const(2**30 - 1)  # a client's byte counter wraps after this
_WORD = 8 if sys.maxsize >> 32 else 4  # bytes of an item in a list
_PRECISION = const(512)  # bytes of the size of the largest block


class Stats:
    """Sends reports to subscribed clients. One timer and one report per second serve all of them.

    limit: maximum bytes of a report. started: time() at startup; ticks_ms wraps after twelve days.
    """

    def __init__(self, server, limit: int, started: int):
        self._server = server
        self._limit = limit
        self._started = started
        self._subscribers = {}  # client -> [seconds between reports or 0, seconds to the next]
        self._meter = self._timer = None

    def subscribe(self, client, value) -> None:
        """Send one report (True), reports every `value` seconds, or no more (0 or False).

        The first report comes after the first second of measurement.
        Raises ValueError for other values.
        """
        if value is True:
            self._subscribers.setdefault(client, [0, 1])[1] = 1
        elif not value and isinstance(value, (int, float)):
            self.unsubscribe(client)
            return
        elif isinstance(value, (int, float)) and 1 <= value <= _LONGEST:
            self._subscribers[client] = [int(value), 1]
        else:
            text = "stats: must be true, seconds from 1 to %d, or 0 for no more"
            raise ValueError(text % _LONGEST)
        if not self._timer:
            self._meter = Meter(self._server)
            self._timer = self._server.every(1000, self._tick)

    def unsubscribe(self, client) -> None:
        """Send no more reports to this client."""
        self._subscribers.pop(client, None)
        if self._timer and not self._subscribers:
            self._timer.cancel()
            self._meter.stop()
            self._meter = self._timer = None

    def _tick(self):
        try:
            measured = self._meter.measure()
            text = None
            for client, state in list(self._subscribers.items()):
                state[1] -= 1
                if state[1] <= 0:
                    text = text or self._report(measured)
                    client.send(text)
                    state[1] = state[0]
                    if not state[0]:
                        self.unsubscribe(client)
        except MemoryError:
            pass  # skip this report

    def _report(self, report):
        report["type"] = "stats"
        report["uptime"] = time() - self._started
        report["heap"] = heap()
        report["idf"] = idf_heap()
        report["temperature"] = temperature()
        report["wifi"] = wifi()
        head = json.dumps(report)[:-1]
        if len(head) + 20 > self._limit:
            return '{"type": "error", "error": "stats: write_limit is too small for a report"}'
        return listing(head, self._server.clients, _describe, self._limit)


def listing(head: str, clients: list, describe, limit: int) -> str:
    """Return the JSON that begins with `head`, with "clients": [describe(client), ...] added.

    The list is cut to keep the JSON within `limit` bytes.
    """
    left = limit - len(head) - 20
    items = []
    for client in clients:
        item = describe(client)
        left -= len(item.encode()) + 2
        if left < 0:
            break
        items.append(item)
    return '%s, "clients": [%s]}' % (head, ", ".join(items))


def _describe(client):
    text = '{"id": %d, "name": %s, "path": %s, "queue": %d, "messages": %d, "bytes": %d}'
    name, path = json.dumps(client.context), json.dumps(client.path)
    counts = (client.buffered, client.messages, client.bytes)
    return text % ((client.id, name, path) + counts)


class Meter:
    """Measures the load of the server's loop and its traffic, until stop()."""

    def __init__(self, server):
        self._server = server
        self._poll = server._ipoll
        server._ipoll = self._timed
        self._waited = 0  # us that the loop has waited since the last measure()
        self._since = ticks_us()
        self._seen = {one.id: (one.messages, one.bytes) for one in server.clients}

    def stop(self) -> None:
        """Stop measuring."""
        self._server._ipoll = self._poll

    def _timed(self, timeout):
        start = ticks_us()
        ready = self._poll(timeout)
        self._waited += ticks_diff(ticks_us(), start)
        return ready

    def measure(self) -> dict:
        """Return the values since the last call.

        "cpu": the share of time (0 to 1) in which the loop did not wait. "messages_per_second",
        "bytes_per_second": received from all clients.
        """
        now = ticks_us()
        elapsed = ticks_diff(now, self._since) or 1
        busy = 1 - self._waited / elapsed
        self._since = now
        self._waited = 0
        messages = count = 0
        seen = {}
        for one in self._server.clients:
            before = self._seen.get(one.id, (0, 0))
            messages += one.messages - before[0]
            count += one.bytes - before[1] & _BYTES
            seen[one.id] = (one.messages, one.bytes)
        self._seen = seen
        return {
            "cpu": round(min(max(busy, 0), 1), 3),
            "messages_per_second": round(messages * 1000000 / elapsed, 1),
            "bytes_per_second": round(count * 1000000 / elapsed),
        }


# --- the board


def heap() -> dict:
    """Return bytes of the GC heap: "free", "used", "largest" free block. Collects garbage."""
    gc.collect()
    free, used = gc.mem_free(), gc.mem_alloc()
    return {"free": free, "used": used, "largest": min(free, _largest(free))}


def _largest(free):
    least = idf_heap()["largest"]
    most = free + _WORD
    automatic = gc.isenabled()
    gc.disable()  # else each failure would collect
    while most - least > _PRECISION:
        middle = (least + most) // 2
        try:
            piece = [None] * (middle // _WORD)
            piece.clear()  # frees it at once
            least = middle
        except MemoryError:
            most = middle
    if automatic:
        gc.enable()
    return least


def idf_heap() -> dict:
    """Return bytes of the IDF heap, which Wi-Fi, TLS and growth of the GC heap take from.

    "free": in all. "largest": the largest free block.
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
