"""The loops over payloads in native code: deliver messages, unmask, validate UTF-8, send.

MicroPython's viper emitter compiles this module for the chip that it runs on. `portable` has the
same functions in plain Python, with their documentation; tests compare both. Only `frames` imports
this module.
"""

from array import array

import micropython

# Module globals are found much faster than built-ins, of which there are a hundred.
bytearray = bytearray
len = len
str = str
type = type


@micropython.viper
def validate_utf8(buf: ptr8, pos: int, end: int, state: int, start: int) -> int:
    """Validate buf[pos:end]: see portable.validate_utf8."""
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
def _is_ascii(text: ptr8, length: int) -> bool:
    """Return whether all bytes are ASCII. Most of it goes by words, eight at a time."""
    seen = 0  # the first local variable is kept in a register
    at = int(text)
    while at & 3 and length > 0:  # Xtensa traps on unaligned words
        seen |= ptr8(at)[0]
        at += 1
        length -= 1
    while length > 31:
        seen |= ptr32(at)[0] | ptr32(at)[1] | ptr32(at)[2] | ptr32(at)[3]
        seen |= ptr32(at)[4] | ptr32(at)[5] | ptr32(at)[6] | ptr32(at)[7]
        at += 32
        length -= 32
    while length > 3:
        seen |= ptr32(at)[0]
        at += 4
        length -= 4
    while length > 0:
        seen |= ptr8(at)[0]
        at += 1
        length -= 1
    seen |= seen >> 16
    return (seen | seen >> 8) & 0x80 == 0


def text_bytes(text: str):
    """Return a text as UTF-8: see portable.text_bytes."""
    # encode() would compute a hash.
    data = memoryview(text)
    if not _is_ascii(text, len(data)) and validate_utf8(text, 0, len(data), 0, 0):
        from .surrogates import join_pairs

        return join_pairs(data, validate_utf8)
    return data


@micropython.viper
def make(opcode: int, buf, start: int, length: int, bits: int):
    """Return a part of a buffer as a str or as bytes: see portable.make."""
    many = 0  # the first local variable is kept in a register
    made = bytearray(length + 1)
    if opcode == 1:
        here = ptr8(made)
        there = ptr8(int(ptr8(buf)) + start)
        count = length
        while count > 0:
            many |= there[0]
            here[0] = there[0] | bits
            here = ptr8(int(here) + 1)
            there = ptr8(int(there) + 1)
            count -= 1
        if many & 0x80:
            return None
    else:
        _copy(made, length, buf, start)
    # The same as in `deliver`, where a call would take too long.
    cell = _cell
    words = ptr32(cell)
    big = 0x10000
    cell[0] = made  # type: ignore[call-overload]
    address = words[0]
    if big * big:
        address |= words[1] << 32
        head = ptr32(address)
        head[0] = words[opcode * 2]
        head[1] = words[opcode * 2 + 1]
        head[2] = 0
        head[3] = 0
        head[4] = length
        words[1] = 0
    else:
        head = ptr32(address)
        head[0] = words[opcode]
        head[1] = 0
        head[2] = length
    words[0] = 0
    return made


@micropython.viper
def parse_headers(head, pos: int, end: int, headers) -> bool:
    """Add the common header lines in head[pos:end] to a dict: see portable.parse_headers."""
    number = 0
    data = ptr8(head)
    while pos < end:
        start = pos
        while data[pos] != 58:  # ":"
            byte = data[pos] | 32
            if (byte < 97 or byte > 122) and (data[pos] != 45 or pos == start):
                return False
            pos += 1
            if pos >= end:
                return False
        if pos == start:
            return False
        name = make(1, head, start, pos - start, 32)
        pos += 1
        while pos < end and data[pos] == 32:
            pos += 1
        start = pos
        last = pos  # the end of the value, without spaces
        while pos < end and data[pos] != 13:
            byte = data[pos]
            if byte < 32 or byte > 126:
                return False
            pos += 1
            if byte != 32:
                last = pos
        if pos < end and data[pos + 1] != 10:
            return False
        headers[name] = make(1, head, start, last - start, 0)
        number += 1
        if int(len(headers)) != number or number > 64:
            return False
        pos += 2
    return True


# An object to inspect, and two types. Native code sees an array as its pointers.
_cell = array("O", (None, str, bytes))  # type: ignore[type-var]


@micropython.viper
def deliver(pos: int, end: int, limit: int, buf, client, message, progress: ptr32) -> int:
    """Call message(client, data) for each complete, common frame: see portable.deliver.

    `data` is made as a bytearray with a NUL behind it. Its object head is then changed into the
    head of a str or bytes without a hash: str() and bytes() would process all of it again, str()
    several times. `_layout_is_known` has checked that objects have the layout that this needs.
    """
    # `pos`, `end` and `limit` are kept in registers, as the first three arguments; other variables
    # are in memory. So the loops use these as scratch variables, and `at`, `last` and `most` have
    # the values of the arguments.
    cell = _cell
    words = ptr32(cell)
    big = 0x10000
    wide = big * big  # 0 where a word has 32 bits
    new = bytearray
    base = int(ptr8(buf))
    last = end
    most = limit
    at = pos
    while True:
        progress[0] = at
        data = ptr8(base + at)
        if last - at < 6:
            return 0
        opcode = data[0] ^ 0x80
        length = data[1] - 0x80
        if opcode < 1 or opcode > 2 or length < 0 or length > 126:
            return 0
        start = at + 6
        if length == 126:
            length = data[2] << 8 | data[3]
            if length < 126:
                return 0
            start = at + 8
        if length > most:
            return 0
        stop = start + length
        if stop > last:
            return stop - at
        if not client._plain:
            return 0
        at = stop
        progress[0] = at
        made = new(length + 1)
        data = ptr8(base + start - 4)
        many = 0
        # `pos` is the source, `end` the destination, and `limit` one word.
        pos = base + start
        if length < 126:
            end = int(ptr8(made))
            mask = data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24
            count = length
            while count > 3:
                limit = ptr8(pos)[0]
                limit |= ptr8(pos)[1] << 8
                limit |= ptr8(pos)[2] << 16
                limit |= ptr8(pos)[3] << 24
                limit ^= mask
                ptr32(end)[0] = limit
                many |= limit
                pos += 4
                end += 4
                count -= 4
            while count > 0:
                limit = ptr8(pos)[0] ^ (mask & 0xFF)
                ptr8(end)[0] = limit
                many |= limit
                mask >>= 8
                pos += 1
                end += 1
                count -= 1
        else:
            # In place: single bytes up to a word boundary, then words, because Xtensa traps on
            # unaligned ones.
            phase = 0
            while pos & 3:
                limit = ptr8(pos)[0] ^ data[phase]
                ptr8(pos)[0] = limit
                many |= limit
                pos += 1
                phase += 1
            count = base + stop - pos
            mask = data[phase & 3] | data[(phase + 1) & 3] << 8
            end = mask | data[(phase + 2) & 3] << 16 | data[(phase + 3) & 3] << 24
            while count > 15:  # four words at a time: the loop counter takes most of the time
                limit = ptr32(pos)[0] ^ end
                ptr32(pos)[0] = limit
                many |= limit
                limit = ptr32(pos)[1] ^ end
                ptr32(pos)[1] = limit
                many |= limit
                limit = ptr32(pos)[2] ^ end
                ptr32(pos)[2] = limit
                many |= limit
                limit = ptr32(pos)[3] ^ end
                ptr32(pos)[3] = limit
                many |= limit
                pos += 16
                count -= 16
            while count > 0:
                limit = ptr8(pos)[0] ^ data[phase & 3]
                ptr8(pos)[0] = limit
                many |= limit
                pos += 1
                phase += 1
                count -= 1
            _copy(made, length, buf, start)
        many |= many >> 16
        if (many | many >> 8) & 0x80 and opcode == 1 and int(validate_utf8(made, 0, length, 0, 0)):
            return -1
        cell[0] = made  # type: ignore[call-overload]
        pos = words[0]
        if wide:
            pos |= words[1] << 32
            end = int(words) + (opcode << 3)
            ptr32(pos)[0] = ptr32(end)[0]
            ptr32(pos)[1] = ptr32(end)[1]
            ptr32(pos)[2] = 0
            ptr32(pos)[3] = 0
            ptr32(pos)[4] = length
            words[1] = 0
        else:
            ptr32(pos)[0] = words[opcode]
            ptr32(pos)[1] = 0
            ptr32(pos)[2] = length
        words[0] = 0  # so that the object can be freed
        if at == last and client._inbox:
            client._free_inbox()
        progress[1] += 1
        message(client, made)


@micropython.viper
def send(client, message) -> bool:
    """Queue a message: see portable.send."""
    many = 0  # the first local variable is kept in a register
    cell = _cell
    words = ptr32(cell)
    big = 0x10000
    cell[0] = message
    address = words[0]
    opcode = 0
    length = 0
    if big * big:
        address |= words[1] << 32
        words[1] = 0
        if not address & 3:
            head = ptr32(address)
            length = head[4]
            if head[0] == words[2] and head[1] == words[3]:
                opcode = 1
            elif head[0] == words[4] and head[1] == words[5]:
                opcode = 2
    elif not address & 3:
        head = ptr32(address)
        length = head[2]
        if head[0] == words[1]:
            opcode = 1
        elif head[0] == words[2]:
            opcode = 2
    words[0] = 0
    if not opcode:
        if type(message) is not str:
            return bool(client._send_other(message))
        opcode = 1  # an interned str has another layout
        length = int(len(message.encode()))
    if length > 125:
        return bool(client._send_other(message))
    pos = int(client._out_end)
    end = pos + 2 + length
    if end > int(client._out_limit):
        if not client._make_space(2 + length):
            return False
        pos = int(client._out_end)
        end = pos + 2 + length
    here = ptr8(int(ptr8(client._out)) + pos)
    here[0] = 0x80 | opcode
    here[1] = length
    here = ptr8(int(here) + 2)
    there = ptr8(message)
    while length > 3:  # four at a time: the loop counter takes most of the time
        many |= there[0] | there[1] | there[2] | there[3]
        here[0] = there[0]
        here[1] = there[1]
        here[2] = there[2]
        here[3] = there[3]
        here = ptr8(int(here) + 4)
        there = ptr8(int(there) + 4)
        length -= 4
    while length > 0:
        many |= there[0]
        here[0] = there[0]
        here = ptr8(int(here) + 1)
        there = ptr8(int(there) + 1)
        length -= 1
    # A text beyond ASCII may have surrogates: then nothing has been sent yet.
    if many & 0x80 and opcode == 1 and int(validate_utf8(message, 0, end - pos - 2, 0, 0)):
        return bool(client._send_other(message))
    client._out_end = end
    return True


def _copy(made, length, buf, start):
    made[:length] = buf[start : start + length]


@micropython.viper
def _layout_is_known(cell: ptr32, made: ptr8, text: ptr8, data: ptr8) -> bool:
    """Return whether objects of this interpreter have the layout that `deliver` and `send` expect.

    It is: type, hash or spare space, length, pointer to the bytes. cell: a bytearray, a str and a
    bytes object of 5 bytes each, then their types.
    """
    big = 0x10000
    size = 2 if big * big else 1  # of a pointer, in words of 32 bits
    at = 0
    while at < 3:
        kind = cell[(at + 3) * size]
        address = cell[at * size]
        if size == 2:
            kind |= cell[at * 2 + 7] << 32
            address |= cell[at * 2 + 1] << 32
        head = ptr32(address)
        found = head[0]
        length = head[2 * size]
        bytes_at = head[3 * size]
        if size == 2:
            found |= head[1] << 32
            length |= head[5] << 32
            bytes_at |= head[7] << 32
        expected = int(made)
        if at == 1:
            expected = int(text)
        elif at == 2:
            expected = int(data)
        if found != kind or length != 5 or bytes_at != expected:
            return False
        at += 1
    return True


def _check(check):
    made = bytearray(5)
    data = bytes((1, 2, 3, 4, 5))
    text = str(data, "utf-8")
    cell = array("O", (made, text, data, bytearray, str, bytes))  # type: ignore[type-var]
    return check(cell, made, text, data)


if not _check(_layout_is_known):
    from .portable import deliver, make, parse_headers, send, text_bytes  # noqa: F401
del _check, _layout_is_known
