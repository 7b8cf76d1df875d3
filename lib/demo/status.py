"""The values of the demo's widgets. Loaded while a page is connected to /panel.

`start` is loaded only at the start, `widgets` to describe the widgets, `led` and `chat` for
commands. The widgets are not kept in between: they would take 1.5 KB.
"""

import gc
from time import ticks_diff, ticks_ms, time

import esp32
from micropython import const
from panel.endpoint import Endpoint

from wsserver import lazy

_FRESH = const(500)  # ms for which a measurement is used


def endpoint(server, *args):
    """Return the endpoint of /panel with the demo's widgets. LazyEndpoint calls this."""
    return lazy.call("demo.start", "start", Status(), server, *args)


class Status(Endpoint):
    """Load and traffic since the last second, and the state of the board.

    demo.start sets the attributes. settings: the section "demo". started: time() at startup.
    meter: the Meter. last: what it returned last. measured: the values of that time.

    lamps: how many widgets the LED has, None if it is not known yet. sensor: a function that
    returns the chip's temperature, in degrees Fahrenheit if `fahrenheit`, or None. wlan: the
    interface that reports `key`, "stations" or "rssi", or None. demo.widgets sets them.
    """

    settings: dict
    started: int
    meter: Anything
    last: tuple
    lamps: Anything = None
    measured: Anything = None
    sensor: Anything = None
    wlan: Anything = None
    fahrenheit = False
    key = "rssi"

    def widgets(self) -> list:
        """Return the widgets, tuples as in the class Panel."""
        return lazy.call("demo.widgets", "make", self)

    def update(self, id: int) -> bool:
        """Read a value. Return whether it has changed."""
        value = self.read(id)
        changed = value != self.latest[id]
        self.latest[id] = value
        return changed

    def read(self, id: int):
        """Return the value of a widget, by its place in the list."""
        if id < self.lamps:
            kept = self.settings
            return "#%02x%02x%02x" % tuple(kept["color"]) if id else kept["on"]
        if not self.measured or ticks_diff(ticks_ms(), self.last[0]) >= _FRESH:
            self.measured = self._measure()
        return self.measured[id - self.lamps]

    def _measure(self):
        last = self.last
        now = self.last = self.meter.update()
        elapsed = ticks_diff(now[0], last[0]) or 1
        free = lazy.free_heap()
        others = largest = 0
        for region in esp32.idf_heap_info(esp32.HEAP_DATA):
            others += region[1]
            largest = max(largest, region[2])
        celsius = signal = None
        try:
            celsius = self.sensor and self.sensor()
            if self.fahrenheit:
                celsius = round((celsius - 32) / 1.8)
            signal = self.wlan and self.wlan.status(self.key)
        except OSError:  # the sensor is in use, or the board is in no network
            pass
        return (
            None,
            round(gc.mem_alloc() / 1024, 1),
            round(100 * min(max(1 - (now[1] - last[1]) / elapsed, 0), 1)),
            round((now[2] - last[2]) * 1000 / elapsed, 1),
            None,
            round(free / 1024, 1),
            round(others / 1024, 1),
            round(largest / 1024, 1),
            (now[3] - last[3]) * 1000 // elapsed,
            (time() - self.started) // 5 * 5,
            len(signal) if isinstance(signal, list) else signal,
            celsius,
        )
