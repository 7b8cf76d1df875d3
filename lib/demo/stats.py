"""Report the state of the board: load, memory, temperature, Wi-Fi and clients."""

import gc
import json
from time import ticks_diff, ticks_ms, time

import esp32
import network
from micropython import const

from wsserver.lazy import free_heap

_LONGEST = const(3600)  # seconds between two reports
_BYTES = const(2**30 - 1)  # a client's byte counter wraps after this
_CLOCK = const(2**30 - 1)  # the board's clock in reports, in ms, wraps after this


class Stats:
    """Send reports to subscribed clients. One timer serves all of them.

    limit: maximum bytes of a report. started: time() at startup; ticks_ms wraps after twelve days.
    """

    def __init__(self, server, limit: int, started: int):
        self._server = server
        self._limit = limit
        self._started = started
        self._subscribers = {}  # client -> Subscription
        self._meter: Anything = None
        self._timer = None

    def subscribe(self, client, value) -> None:
        """Send one report (True), a report every `value` seconds, or none (0 or False).

        The first report comes after the first second of measurement.
        Raises ValueError for other values.
        """
        is_number = isinstance(value, (int, float))
        if not isinstance(value, bool) and not (is_number and _is_interval(value)):
            text = "stats: must be true, seconds from 1 to %d, or 0 to stop"
            raise ValueError(text % _LONGEST)
        if not value:
            self.unsubscribe(client)
            return
        if not self._timer:
            self._meter = Meter(self._server)
            self._timer = self._server.every(1000, self._tick)
        subscription = self._subscribers.get(client)
        if not subscription:
            self._subscribers[client] = subscription = Subscription(self._meter)
        subscription.due = 1
        if value is not True:
            subscription.interval = int(value)

    def unsubscribe(self, client) -> None:
        """Send no more reports to this client."""
        self._subscribers.pop(client, None)
        if self._timer and not self._subscribers:
            self._timer.cancel()
            self._meter.stop()
            self._meter = self._timer = None

    def ignore(self, size: int) -> None:
        """Exclude a message of `size` bytes, which was just received, from the rates."""
        if self._meter:
            self._meter.messages -= 1
            self._meter.bytes -= size + (6 if size < 126 else 8)  # the header of its frame

    def _tick(self):
        try:
            self._meter.update()
            values = None
            for client, subscription in list(self._subscribers.items()):
                subscription.due -= 1
                if subscription.due > 0:
                    continue
                values = values or self._values()
                client.send(self._report(subscription, values))
                subscription.due = subscription.interval
                if not subscription.interval:
                    self.unsubscribe(client)
        except MemoryError:
            pass  # skip this report

    def _values(self):
        """Return the JSON of the values that are the same in all reports, without its braces."""
        values = {
            "time": ticks_ms() & _CLOCK,
            "uptime": time() - self._started,
            "heap": heap(),
            "idf": idf_heap(),
            "temperature": temperature(),
            "wifi": wifi(),
        }
        return json.dumps(values)[1:-1]

    def _report(self, subscription, values):
        head = '{"type": "stats", %s, %s' % (subscription.rates(self._meter), values)
        if len(head) + 20 > self._limit:
            return '{"type": "error", "error": "stats: write_limit is too small for a report"}'
        return listing(head, self._server.clients, _describe, self._limit)


def _is_interval(value):
    return value == 0 or 1 <= value <= _LONGEST


class Subscription:
    """A client's interval, and the state of the meter at its last report.

    interval: seconds between reports; 0: only one. due: seconds until the next report.
    """

    def __init__(self, meter):
        self.interval = 0
        self.due = 1
        self._mark(meter)

    def _mark(self, meter):
        self._now = meter.now
        self._waited = meter.waited
        self._messages = meter.messages
        self._bytes = meter.bytes

    def rates(self, meter) -> str:
        """Return JSON fields with the averages since the last call."""
        elapsed = ticks_diff(meter.now, self._now) or 1
        busy = 1 - (meter.waited - self._waited) / elapsed
        text = '"cpu": %.3f, "messages_per_second": %.1f, "bytes_per_second": %d' % (
            min(max(busy, 0), 1),
            max(meter.messages - self._messages, 0) * 1000 / elapsed,
            max(meter.bytes - self._bytes, 0) * 1000 // elapsed,
        )
        self._mark(meter)
        return text


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
    """Measure the load of the server's loop and its traffic, from its creation to stop().

    now: ticks_ms of the last update. waited: ms that the loop has waited. messages, bytes:
    received from all clients.
    """

    def __init__(self, server):
        self._server = server
        self._waited = 0  # us since the last update
        self._seen = {}  # client -> [its messages, its bytes at the last update]
        self.waited = self.messages = self.bytes = 0
        self.update()
        self.messages = self.bytes = 0
        server.on_wait(self._add)

    def stop(self) -> None:
        """Stop measuring."""
        self._server.on_wait(None)

    def _add(self, microseconds):
        self._waited += microseconds

    def update(self) -> None:
        """Add the load and traffic since the last update."""
        self.now = ticks_ms()
        self.waited += self._waited // 1000
        self._waited = 0
        clients = self._server.clients
        for client in clients:
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
