"""Find the board's LED. Loaded when a page connects or /demo is loaded, and dropped."""

from os import uname

from micropython import const

from wsserver import WARNING

from .led import Led

# The pin of the usual boards, as in firmware/boards.toml; a test compares both. One text, because
# MicroPython would keep each name of a chip for ever.
_PINS = const("""\
ESP32 2 pin
ESP32S2 18 neopixel
ESP32S3 48 neopixel
ESP32C2 8 pin
ESP32C3 8 neopixel
ESP32C5 27 neopixel
ESP32C6 8 neopixel
ESP32H2 8 neopixel""")


def find(settings: dict, log):
    """Return the Led of the settings or the chip's usual one; None if it has none.

    A pin that cannot be used is reported with log(level, text), and the result is None. Otherwise
    the settings name the pin and its kind from now on.
    """
    # "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"
    chip = uname().machine.split(" with ")[-1].replace("-", "")
    pin, kind = -1, "pin"
    for line in _PINS.split("\n"):
        name, number, usual = line.split()
        if name == chip:
            pin, kind = int(number), usual
    if settings["led_pin"] not in (None, pin):
        pin, kind = settings["led_pin"], "pin"
    if pin < 0:
        return None
    try:
        kind = settings["led_kind"] or kind
        lamp = Led(pin, kind, settings)
        settings["led_pin"], settings["led_kind"] = pin, kind
        return lamp
    except (ValueError, ImportError) as error:
        log(WARNING, "demo.led_pin: %d cannot be used: %s" % (pin, error))
        return None
