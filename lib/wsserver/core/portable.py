"""The loops over payloads in plain Python, with the same results as `native`.

Used on interpreters without native code, and on CPython. The functions are documented here.
"""


def validate_utf8(buf, pos: int, end: int, state: int, start: int) -> int:
    """Validate buf[pos:end] as UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past
    U+10FFFF). Return the new state, or -1 at the first invalid byte.

    state: 0 between characters. Within one, bits 0-7 are the number of missing continuation bytes,
    bits 8-15 the lowest and bits 16-23 the highest valid value of the next one. start: 0, or the
    position of a payload that is still masked, and of which buf[pos:end] is a part. Its masking
    key is in the four bytes before it.
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
    """XOR buf[pos:end] in place with the masking key key[at:at + 4] (RFC 6455, section 5.3).

    Return 0 if every resulting byte is ASCII, otherwise 0x80.
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
    """Call message(client, data) for the common frames at the beginning of buf[pos:end], which is
    overwritten; `data` is a str or bytes (RFC 6455, section 5.2).

    A common frame is a complete, final, masked text or binary frame without reserved bits, with
    the shortest possible length field, and with at most `limit` and 65535 bytes of payload. Return

    - 0 at any other frame, at the end, and when client._plain has become None;
    - the length of the next frame, if it is common but incomplete;
    - -1 after a text that is not UTF-8.

    progress[0] is the position of the next frame, and progress[1] grows by the messages delivered,
    even if a callback raises or memory runs out. When the last byte is used, the client's inbox is
    freed before the callback, whose reply may need a buffer.
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


def make(opcode: int, buf, start: int, length: int, bits: int):
    """Return a part of a buffer as bytes (opcode 2), or as a str (1), if it is ASCII, else None.

    bits: added to each character of a str; 32 converts letters to lower case. bytes() and str()
    would do more: compute a hash, or search all interned names.
    """
    data = bytes(buf[start : start + length])
    if opcode == 2:
        return data
    if data and max(data) > 127:
        return None
    return str(bytes(byte | bits for byte in data), "utf-8")


def parse_headers(head: bytes, pos: int, end: int, headers: dict) -> bool:
    """Add the HTTP header lines in head[pos:end] to an empty dict: {name in lower case: value}.

    Return False if not all are common ones: a name of letters and "-", which occurs once, and a
    value of printable ASCII without tabs; or if there are over 64. Then `headers` is not valid.
    """
    number = 0
    while pos < end:
        stop = head.find(b"\r\n", pos, end)
        if stop < 0:
            stop = end
        name, colon, value = head[pos:stop].partition(b":")
        value = value.strip(b" ")
        if not colon or not name[:1].isalpha() or not name.replace(b"-", b"").isalpha():
            return False
        if value and (min(value) < 32 or max(value) > 126):
            return False
        headers[str(name, "utf-8").lower()] = str(value, "utf-8")
        number += 1
        if len(headers) != number or number > 64:
            return False
        pos = stop + 2
    return True


def text_bytes(text: str):
    """Return a text as UTF-8, with surrogate pairs joined.

    Raises ValueError if it contains half of a pair, or is otherwise not valid UTF-8.
    MicroPython can create such texts: json.loads() keeps the halves, and str() checks little.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) != len(text) and validate_utf8(data, 0, len(data), 0, 0):  # beyond ASCII
        from .surrogates import join_pairs

        data = join_pairs(data, validate_utf8)
    return data


def send(client, message) -> bool:
    """Queue a message: a str as text; bytes, bytearray or memoryview as binary.

    Return False if it was not queued: the connection is closing, or the send buffer is full. Then
    the message is dropped, or the client is closed with 1013, as the endpoint's `overflow` says.
    Raises TypeError for other types.

    This is the method Client.send. Short messages are written here, in the space that
    Protocol._make_space makes; Protocol._send_other does the rest.
    """
    opcode = 2
    data = message
    if isinstance(message, str):
        opcode = 1
        data = text_bytes(message)
    elif not isinstance(message, bytes):
        return client._send_other(message)
    length = len(data)
    if length > 125:
        return client._send_other(message)
    pos = client._out_end
    end = pos + 2 + length
    if end > client._out_limit:
        if not client._make_space(2 + length):
            return False
        pos = client._out_end
        end = pos + 2 + length
    out = client._out
    out[pos] = 0x80 | opcode
    out[pos + 1] = length
    out[pos + 2 : end] = data
    client._out_end = end
    return True
