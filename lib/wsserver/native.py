"""The inner loops in native code: taking frames, unmasking, UTF-8 validation, writing small
frames.

Compiled by MicroPython's viper emitter for whatever chip it runs on. `portable` has the same
functions in plain Python, with their documentation; the tests run both against each other. Only
`frames` imports this module.
"""

import micropython


@micropython.viper
def utf8(buf: ptr8, pos: int, end: int, state: int, start: int) -> int:
    """Advance the UTF-8 decoder `state` over buf[pos:end]: see portable.utf8."""
    while pos < end:
        byte = buf[pos]
        if start:
            byte ^= buf[start - 4 + ((pos - start) & 3)]
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
    seen = 0
    phase = 0
    while pos < end:
        byte = buf[pos] ^ key[at + (phase & 3)]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    return seen & 0x80


@micropython.viper
def take(buf: ptr8, pos: int, end: int, limit: int) -> int:
    """Unmask the frame at buf[pos] if it is of the common kind: see portable.take."""
    if end - pos < 6:
        return 0
    opcode = buf[pos] ^ 0x80
    length = buf[pos + 1] - 0x80
    if opcode < 1 or opcode > 2 or length < 0 or length > 126:
        return 0
    at = pos + 2
    if length == 126:
        at = pos + 4
        length = buf[pos + 2] << 8 | buf[pos + 3]
        if length < 126:
            return 0
    start = pos
    pos = at + 4
    if length > limit:
        return 0
    if length > end - pos:
        return start - pos - length
    end = pos + length
    # Bytes up to a word boundary, then whole words: Xtensa traps on unaligned word access.
    base = int(buf)
    phase = 0
    seen = 0
    while pos < end and (base + pos) & 3:
        byte = buf[pos] ^ buf[at + phase]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    words = (end - pos) >> 2
    if words > 0:
        mask = buf[at + phase]
        mask |= buf[at + ((phase + 1) & 3)] << 8
        mask |= buf[at + ((phase + 2) & 3)] << 16
        mask |= buf[at + ((phase + 3) & 3)] << 24
        word = ptr32(base + pos)
        pos += words << 2
        many = 0
        while words > 3:  # four at a time: most of the time goes into counting
            value = word[0] ^ mask
            word[0] = value
            many |= value
            value = word[1] ^ mask
            word[1] = value
            many |= value
            value = word[2] ^ mask
            word[2] = value
            many |= value
            value = word[3] ^ mask
            word[3] = value
            many |= value
            word = ptr32(int(word) + 16)
            words -= 4
        while words > 0:
            value = word[0] ^ mask
            word[0] = value
            many |= value
            word = ptr32(int(word) + 4)
            words -= 1
        seen |= many | many >> 8 | many >> 16 | many >> 24
    while pos < end:
        byte = buf[pos] ^ buf[at + (phase & 3)]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    return length << 3 | (seen & 0x80) >> 5 | opcode


@micropython.viper
def put_short(out: ptr8, pos: int, opcode: int, message, limit: int) -> int:
    """Write a frame of at most 125 bytes at out[pos]: see portable.put_short."""
    length = int(len(message))
    end = pos + 2 + length
    if length > 125 or end > limit:
        return 0
    out[pos] = 0x80 | opcode
    out[pos + 1] = length
    pos += 2
    data = ptr8(message)
    index = 0
    while index < length:
        out[pos + index] = data[index]
        index += 1
    return end
