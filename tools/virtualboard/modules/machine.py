"""The chip's machine module, as far as the firmware uses it."""

import utime as _utime
from umachine import Signal, idle, mem8, mem16, mem32, time_pulse_us

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_cause = PWRON_RESET
_tell = None


def _setup(cause, tell, program, main):
    """From the launcher: the reset cause; tell(event) for the supervisor; program(size) reads a
    program that came over the raw REPL, which runs with the names in `main`.
    """
    global _cause, _tell, _program, _globals
    _cause = cause
    _tell = tell
    _program = program
    _globals = main


_program = None
_globals = None
_machine = ""  # from the launcher
_highest_pin = 39
_missing_pins = (20, 24, 28, 29, 30, 31)
_input_pins = 34  # the first of those that have no output


def _choose_chip(highest_pin):
    """From the launcher: the pins of another chip than the first ESP32."""
    global _highest_pin, _missing_pins, _input_pins
    _highest_pin, _missing_pins, _input_pins = highest_pin, (), highest_pin + 1


def _run(size):
    """Run a program that came over the raw REPL; the markers are for serialport.py."""
    import sys

    try:
        print("\x1erun\x1e", end="")
        try:
            exec(compile(_program(size), "<stdin>", "exec"), _globals)
        finally:
            print("\x1eout\x1e", end="")
    except SystemExit:
        soft_reset()
    except BaseException as error:
        sys.print_exception(error)
    print("\x1eend\x1e", end="")


def _greet(end=""):
    """Greet like the friendly prompt."""
    import sys

    print("\x1efri\x1e" + sys.version.split("; ")[-1] + "; " + _machine)
    print('Type "help()" for more information.\n' + end, end="")


def _end(kind):
    _tell(kind)
    while True:  # the supervisor ends this process
        _utime.sleep_ms(100)


def reset():
    _end("hard reset")


def soft_reset():
    _end("soft reset")


def reset_cause():
    return _cause


def unique_id():
    return b"\x24\x6f\x28\x00\x00\x01"


def freq(hz=None):
    if hz is None:
        return 160000000
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")


_levels = {}  # of the pins, by number: they do not forget when a Pin is made anew
_sent = {}  # what bitstream() has sent last, by the pin's number


def bitstream(pin, encoding, timing, data):
    if not isinstance(pin, Pin):
        raise ValueError("invalid pin")
    if encoding != 0:
        raise ValueError("encoding")
    if len(timing) != 4:
        raise ValueError("requested length 4 but object has length %d" % len(timing))
    _sent[pin._id] = bytes(data)


class WDT:
    """The supervisor is the watchdog. As on the chip there is one, a second WDT() gives it another
    time, and nothing stops it.
    """

    def __init__(self, *, id=0, timeout=5000):
        if not isinstance(id, int) or not isinstance(timeout, int):
            raise TypeError("can't convert to int")
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _tell("watchdog %d" % timeout)

    def feed(self):
        _tell("fed")


class RTC:
    """The clock, which time.time() and time.gmtime() show."""

    def datetime(self, date=None):
        import time

        if date is None:
            year, month, day, hour, minute, second, weekday, _ = time.gmtime()
            return (year, month, day, weekday, hour, minute, second, 0)
        year, month, day, _, hour, minute, second, _ = date
        time._set(time.mktime((year, month, day, hour, minute, second, 0, 0)))


class UART:
    """A serial port, on which there is nothing."""

    IRQ_RXIDLE = 0x1000

    def __init__(self, id, baudrate=9600, bits=8, parity=None, stop=1, *, tx=None, rx=None):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) does not exist" % id)

    def irq(self, handler=None, trigger=0, hard=False):
        pass

    def read(self, nbytes=None):
        return None

    def write(self, buf):
        return len(buf)


class SPI:
    """A bus, on which there is nothing."""

    def __init__(self, id, baudrate=500000, *, sck=None, mosi=None, miso=None):
        if id not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % id)


class Pin:
    """A pin that remembers what it was set to."""

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=None, pull=-1, *, value=None, drive=None):
        if not isinstance(id, int) or not 0 <= id <= _highest_pin or id in _missing_pins:
            raise ValueError("invalid pin")
        self._id = id
        self.init(mode, pull, value=value)

    def init(self, mode=None, pull=-1, *, value=None, drive=None):
        if mode in (self.OUT, self.OPEN_DRAIN) and self._id >= _input_pins:
            raise ValueError("pin can only be input")
        if value is not None:
            _levels[self._id] = int(bool(value))
        elif pull == self.PULL_UP:  # nothing is connected; value() stands for what is
            _levels.setdefault(self._id, 1)

    def value(self, x=None):
        if x is None:
            return _levels.get(self._id, 0)
        _levels[self._id] = int(bool(x))

    __call__ = value

    def on(self):
        _levels[self._id] = 1

    def off(self):
        _levels[self._id] = 0

    def toggle(self):
        _levels[self._id] = 1 - self.value()

    def __repr__(self):
        return "Pin(%d)" % self._id
