"""The inner loops in plain Python: the same results as `native`, for interpreters without native
code.

This is also where the functions are documented, and what CPython runs when the core is tested on
its own.
"""


def validate_utf8(buf: bytearray, pos: int, end: int, state: int, start: int) -> int:
    """Advance a UTF-8 decoder over buf[pos:end] (RFC 3629: no overlong forms, no surrogates,
    nothing past U+10FFFF).

    `state` is 0 between characters, else: the continuation bytes still missing (bits 0-7) and the
    lowest (8-15) and highest (16-23) value the next one may have. `start` is 0, or where the
    payload begins that buf[pos:end] is a part of and that is still masked, with the key before it:
    it is looked at through the mask. Returns the new state, or -1 at the first byte that cannot be
    right.
    """
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


def unmask(buf: bytearray, pos: int, end: int, key, at: int) -> int:
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


def deliver(pos: int, end: int, limit: int, buf, client, message, progress) -> int:
    """Call message(client, data) for each of the frames at buf[pos:end], which is overwritten, as
    far as they are of the common kind; `data` is a str or bytes (RFC 6455, section 5.2).

    Common is: a whole, final, masked text or binary frame, no reserved bit, shortest possible
    length field, payload of at most `limit` and 65535 bytes. Returned is 0 at anything else, at
    the end, and when client._plain has become False; the bytes that the next frame has in all, if
    it would be common but has not arrived whole; -1 behind a text that is not UTF-8.

    progress[0] is where the next frame begins, progress[1] grows by the messages delivered: also
    when a callback raises, or there is no memory for a message. With the last byte used, the
    client's inbox is freed before the callback, whose answer may need a buffer.
    """
    while True:
        progress[0] = pos
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
        if length > limit:
            return 0
        if length > end - start:
            return start - pos + length
        if not client._plain:
            return 0
        progress[0] = pos = start + length
        beyond_ascii = unmask(buf, start, pos, buf, start - 4)
        if opcode == 2:
            data = bytes(buf[start:pos])
        elif beyond_ascii and validate_utf8(buf, start, pos, 0, 0):
            return -1
        else:
            data = str(buf[start:pos], "utf-8")
        if pos == end:
            client._free_inbox()
        progress[1] += 1
        message(client, data)


def text_bytes(text: str):
    """The bytes of a text, in UTF-8."""
    return text.encode()


def send(client, message) -> bool:
    """Queue a message: a str as text; bytes, bytearray or memoryview as binary. This is the method
    of Protocol of that name; `client` is its self.

    False when it was not queued: the connection is closing, or the send buffer is full and the
    endpoint's `overflow` is "drop" (with "close", the client is also closed with 1013). TypeError
    for anything else than the types above.

    What is short is done here, with the room that Protocol.make_room makes, everything else by
    Protocol.send_other.
    """
    opcode = 2
    data = message
    if isinstance(message, str):
        opcode = 1
        data = message.encode()
    elif not isinstance(message, bytes):
        return client._send_other(message)
    length = len(data)
    if length > 125:
        return client._send_other(message)
    pos = client._out_end
    end = pos + 2 + length
    if end > client._out_limit:
        if not client._make_room(2 + length):
            return False
        pos = client._out_end
        end = pos + 2 + length
    out = client._out
    out[pos] = 0x80 | opcode
    out[pos + 1] = length
    out[pos + 2 : end] = data
    client._out_end = end
    return True
