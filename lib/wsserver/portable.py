"""The inner loops in plain Python: the same results as `native`, for interpreters without native
code.

This is also where the functions are documented, and what CPython runs when the core is tested on
its own.
"""


def utf8(buf: bytearray, pos: int, end: int, state: int) -> int:
    """Advance a UTF-8 decoder over buf[pos:end] (RFC 3629: no overlong forms, no surrogates,
    nothing past U+10FFFF).

    `state` is 0 between characters, else: the continuation bytes still missing (bits 0-7) and the
    lowest (8-15) and highest (16-23) value the next one may have. Returns the new state, or -1 at
    the first byte that cannot be right.
    """
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


def unmask(buf: bytearray, pos: int, end: int, key: bytes, at: int) -> int:
    """XOR buf[pos:end] in place with the masking key at key[at:at + 4] (RFC 6455, section 5.3).

    Returns 0 if every resulting byte is ASCII, else 0x80.
    """
    seen = 0
    phase = 0
    while pos < end:
        byte = buf[pos] ^ key[at + (phase & 3)]
        buf[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    return seen & 0x80


def scan(buf: bytearray, pos: int, end: int, limit: int) -> int:
    """Size up the frame at buf[pos:end] if it is the common kind (RFC 6455, section 5.2).

    Common is: a whole, final, masked text or binary frame, no reserved bit, shortest possible
    length field, payload of at most `limit` and 65535 bytes. Returns length << 2 | opcode for it
    and 0 for any other. The payload begins at pos + 6, or at pos + 8 from a length of 126 on; the
    masking key is the four bytes before it.
    """
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


def put_text(out: bytearray, pos: int, text: str, chars: int) -> int:
    """Write `text`, `chars` characters long (at most 16383), as a text frame at out[pos]. Returns
    the position behind it.

    There must be room for 4 * chars + 4 bytes.
    """
    data = text.encode()
    length = len(data)
    out[pos] = 0x81
    if length < 126:
        out[pos + 1] = length
        pos += 2
    else:
        out[pos + 1] = 126
        out[pos + 2] = length >> 8
        out[pos + 3] = length & 0xFF
        pos += 4
    out[pos : pos + length] = data
    return pos + length
