"""The inner loops in native code: frame scanning, unmasking, UTF-8 validation, writing small text
frames.

Compiled by MicroPython's viper emitter for whatever chip it runs on. `portable` has the same
functions in plain Python, with their documentation; the tests run both against each other. Only
`frames` imports this module.
"""

import micropython


@micropython.viper
def utf8(buf: ptr8, pos: int, end: int, state: int) -> int:
    """Advance the UTF-8 decoder `state` over buf[pos:end]: see portable.utf8."""
    while pos < end:
        byte = buf[pos]
        pos += 1
        if state:
            if byte < ((state >> 8) & 0xFF) or byte > (state >> 16):
                return -1
            state = (state & 0xFF) - 1
            if state:
                state |= 0xBF8000
        elif byte > 0x7F:
            if byte < 0xC2 or byte > 0xF4:
                return -1
            if byte < 0xE0:
                state = 0xBF8001
            elif byte == 0xE0:
                state = 0xBFA002
            elif byte == 0xED:
                state = 0x9F8002
            elif byte < 0xF0:
                state = 0xBF8002
            elif byte == 0xF0:
                state = 0xBF9003
            elif byte == 0xF4:
                state = 0x8F8003
            else:
                state = 0xBF8003
    return state


@micropython.viper
def unmask(buf: ptr8, pos: int, end: int, key: ptr8, at: int) -> int:
    """XOR buf[pos:end] with the masking key at key[at:at + 4]: see portable.unmask."""
    # Bytes up to a word boundary, then whole words: Xtensa traps on unaligned word access.
    base = int(buf)
    phase = 0
    seen = 0
    while pos < end and (base + pos) & 3:
        byte = buf[pos] ^ key[at + phase]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    words = (end - pos) >> 2
    if words > 0:
        mask = key[at + (phase & 3)]
        mask |= key[at + ((phase + 1) & 3)] << 8
        mask |= key[at + ((phase + 2) & 3)] << 16
        mask |= key[at + ((phase + 3) & 3)] << 24
        word = ptr32(base + pos)
        index = 0
        many = 0
        while index < words:
            value = word[index] ^ mask
            word[index] = value
            many |= value
            index += 1
        seen |= many | many >> 8 | many >> 16 | many >> 24
        pos += words << 2
    while pos < end:
        byte = buf[pos] ^ key[at + (phase & 3)]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    return seen & 0x80


@micropython.viper
def scan(buf: ptr8, pos: int, end: int, limit: int) -> int:
    """Size up the frame at buf[pos] if it is the common kind: see portable.scan."""
    if end - pos < 6:
        return 0
    opcode = buf[pos] ^ 0x80
    length = buf[pos + 1] - 0x80
    if opcode < 1 or opcode > 2 or length < 0 or length > 126:
        return 0
    start = pos + 6
    if length == 126:
        start = pos + 8
        length = buf[pos + 2] << 8 | buf[pos + 3]
        if length < 126:
            return 0
    if length > limit or length > end - start:
        return 0
    return length << 2 | opcode


@micropython.viper
def put_text(out: ptr8, pos: int, text: ptr8, chars: int) -> int:
    """Write a text frame of `chars` characters at out[pos]: see portable.put_text."""
    # A str is UTF-8 in memory, but len() counts characters: find the bytes without allocating an
    # encoded copy.
    length = 0
    left = chars
    while left > 0:
        byte = text[length]
        length += 1
        left -= 1
        if byte > 0xBF:
            length += 1
            if byte > 0xDF:
                length += 1
                if byte > 0xEF:
                    length += 1
    out[pos] = 0x81
    if length < 126:
        out[pos + 1] = length
        pos += 2
    else:
        out[pos + 1] = 126
        out[pos + 2] = length >> 8
        out[pos + 3] = length
        pos += 4
    index = 0
    while index < length:
        out[pos + index] = text[index]
        index += 1
    return pos + length
