"""Drive the board's LED: a plain one or an RGB LED (WS2812).

Loaded for commands of pages, and with /demo. `lamp` finds the LED.
"""

import json

from machine import Pin
from micropython import const

_VALUES = const("led: must be on, off, toggle or a colour such as [255, 120, 0]")


class Led:
    """kind: "pin", "pin_low" (on while the pin is low) or "neopixel".

    kept: a dict that outlives this object and stores the state.
    """

    def __init__(self, pin: int, kind: str, kept: dict):
        self._kept = kept
        self._low = kind == "pin_low"
        self._pin = Pin(pin, Pin.OUT)
        self._pixel = None
        if kind == "neopixel":
            from neopixel import NeoPixel

            self._pixel = NeoPixel(self._pin, 1)
        self._show(kept.get("on", False), kept.get("color", [255, 120, 0]))

    def state(self) -> dict:
        """Return {"on": ...}, with "color" for an RGB LED."""
        state = {"on": self._kept["on"]}
        if self._pixel:
            state["color"] = self._kept["color"]
        return state

    def switch(self, value) -> None:
        """Switch to "on" or True, "off" or False, "toggle", or [red, green, blue] of 0 to 255.

        Raises ValueError for other values, and for a colour if this LED has none.
        """
        on, color = self._kept["on"], self._kept["color"]
        if isinstance(value, list):
            if not self._pixel:
                raise ValueError("led: this LED has no colours")
            if len(value) != 3 or not all(
                isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= 255
                for part in value
            ):
                raise ValueError(_VALUES)
            self._show(True, value)
        elif value == "toggle":
            self._show(not on, color)
        elif value == "on" or value is True:
            self._show(True, color)
        elif value == "off" or value is False:
            self._show(False, color)
        else:
            raise ValueError(_VALUES)

    def _show(self, on, color):
        if self._pixel:
            # Full power dazzles.
            self._pixel[0] = tuple([part // 4 for part in color]) if on else (0, 0, 0)
            self._pixel.write()
        else:
            self._pin.value(on != self._low)
        self._kept["on"] = on
        self._kept["color"] = color


def set(server, settings: dict, value) -> None:
    """Execute a command of a page: switch the LED or set its colour, and tell /demo."""
    lamp = Led(settings["led_pin"], settings["led_kind"], settings)
    lamp.switch(list(value) if isinstance(value, tuple) else value)
    state = lamp.state()
    state["type"] = "led"
    server.broadcast(json.dumps(state), "/demo")
