"""The chip's neopixel module (WS2812), which is frozen into its MicroPython."""

from machine import bitstream as _bitstream

_TIMINGS = ((800, 1700, 1600, 900), (400, 850, 800, 450))  # ns, for 400 and 800 kHz


class NeoPixel:
    ORDER = (1, 0, 2, 3)  # green comes first

    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin = pin
        self.n = n
        self.bpp = bpp
        self.buf = bytearray(n * bpp)
        self.timing = _TIMINGS[1 if timing else 0] if isinstance(timing, int) else timing
        pin.init(pin.OUT)

    def __len__(self):
        return self.n

    def __setitem__(self, i, v):
        for part in range(self.bpp):
            self.buf[i * self.bpp + self.ORDER[part]] = v[part]

    def __getitem__(self, i):
        return tuple(self.buf[i * self.bpp + self.ORDER[part]] for part in range(self.bpp))

    def fill(self, v):
        for i in range(self.n):
            self[i] = v

    def write(self):
        _bitstream(self.pin, 0, self.timing, self.buf)
