"""Watch the BOOT button after the start: a forgotten password is reset by holding it.

Loaded at startup and dropped; its timer keeps one function in memory for a minute. The button must
be pressed within that minute, held for 10 to 30 seconds, and released. A pin that is low all the
time resets nothing: a strap, a stuck button, a serial adapter.
"""

from machine import Pin
from micropython import const

from wsserver import lazy

_TICK = const(250)  # ms between two looks at the pin
_WINDOW = const(240)  # ticks after the start in which the button must be pressed
_HOLD = const(40)  # ticks


def watch(server, number: int, led) -> None:
    """Watch the pin. led: (the module of the LED, its settings), or None if none may blink.

    Raises ValueError if the chip has no such pin.
    """
    pin = Pin(number, Pin.IN, Pin.PULL_UP)
    held = -1  # ticks; -1: it must be released first
    left = _WINDOW

    def check():
        nonlocal held, left
        left -= 1
        if pin.value():
            if held >= _HOLD:
                left = held = 0
                lazy.call("admin.passwordreset", "reset", server)
            held = 0
        elif held >= 0:
            held += 1
            if held >= _HOLD:
                held = lazy.call("admin.passwordreset", "hold", server, held, held == _HOLD, led)
        if left <= 0 >= held:
            timer.cancel()

    timer = server.every(_TICK, check)
