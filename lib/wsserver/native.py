"""The inner loops in native code: taking frames, unmasking, UTF-8 validation, making texts, and
sending what is short.

Compiled by MicroPython's viper emitter for whatever chip it runs on. `portable` has the same
functions in plain Python, with their documentation; the tests run both against each other. Only
`frames` imports this module.
"""

from array import array

import micropython

# Module globals are found much faster than built-ins, of which there are a hundred.
bytes = bytes
len = len
str = str
type = type


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
def take(buf: ptr32, pos: int, end: int, limit: int) -> int:
    """Unmask the frame at buf[pos] if it is of the common kind: see portable.take."""
    data = ptr8(int(buf))
    if end - pos < 6:
        return 0
    opcode = data[pos] ^ 0x80
    length = data[pos + 1] - 0x80
    if opcode < 1 or opcode > 2 or length < 0 or length > 126:
        return 0
    at = pos + 2
    if length == 126:
        at = pos + 4
        length = data[pos + 2] << 8 | data[pos + 3]
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
        byte = data[pos] ^ data[at + phase]
        data[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    words = (end - pos) >> 2
    if words > 0:
        mask = data[at + phase]
        mask |= data[at + ((phase + 1) & 3)] << 8
        mask |= data[at + ((phase + 2) & 3)] << 16
        mask |= data[at + ((phase + 3) & 3)] << 24
        behind = pos + (words << 2)
        stop = end
        many = 0
        # The first three arguments are kept in registers, all else is in memory. So in this loop
        # `buf` is where it is, `end` the mask and `pos` the unmasked word: in 60 % of the time.
        buf = ptr32(base + pos)
        end = mask
        while words > 3:  # four at a time: most of the time goes into counting
            pos = buf[0] ^ end
            buf[0] = pos
            many |= pos
            pos = buf[1] ^ end
            buf[1] = pos
            many |= pos
            pos = buf[2] ^ end
            buf[2] = pos
            many |= pos
            pos = buf[3] ^ end
            buf[3] = pos
            many |= pos
            buf = ptr32(int(buf) + 16)
            words -= 4
        while words > 0:
            pos = buf[0] ^ end
            buf[0] = pos
            many |= pos
            buf = ptr32(int(buf) + 4)
            words -= 1
        pos = behind
        end = stop
        seen |= many | many >> 8 | many >> 16 | many >> 24
    while pos < end:
        byte = data[pos] ^ data[at + (phase & 3)]
        data[pos] = byte
        seen |= byte
        pos += 1
        phase += 1
    return length << 3 | (seen & 0x80) >> 5 | opcode


# The object that `text` works on, and the type that it shall have. To native code an array is what
# it consists of: pointers to both.
_cell = array("O", (None, str))  # type: ignore[type-var]


@micropython.viper
def text(data):
    """The str of bytes that are known to be UTF-8: see portable.text.

    str(data, "utf-8") would validate them, compute their hash twice, and look for the text among
    all names that the program has. bytes(data) does none of that but one hash, and makes an object
    that differs from such a str in its first word only, which is its type: so that is set here.
    """
    made = bytes(data)
    if not made:
        return ""
    words = ptr32(_cell)
    big = 0x10000
    wide = big * big  # 0 where a word has 32 bits
    _cell[0] = made  # type: ignore[call-overload]
    address = words[0]
    if wide:
        address |= words[1] << 32
        head = ptr32(address)
        head[0] = words[2]
        head[1] = words[3]
        words[1] = 0
    else:
        head = ptr32(address)
        head[0] = words[1]
    words[0] = 0  # nothing: it shall not be kept here
    return made


@micropython.viper
def _differ_in_type_only(cell: ptr32) -> bool:
    """Whether what `text` does is right for this interpreter. cell: a bytes object, the str that
    str() makes of it, which shares its data, and both types.
    """
    big = 0x10000
    size = 2 if big * big else 1  # of a pointer, in words of 32 bits
    one = cell[0]
    other = cell[size]
    if size == 2:
        one |= cell[1] << 32
        other |= cell[3] << 32
    left = ptr32(one)
    right = ptr32(other)
    at = 0
    while at < size:
        if left[at] != cell[2 * size + at] or right[at] != cell[3 * size + at]:
            return False
        at += 1
    while at < 4 * size:
        if left[at] != right[at]:
            return False
        at += 1
    return True


_made = bytes((1, 2, 3, 4))
if not _differ_in_type_only(array("O", (_made, str(_made, "utf-8"), bytes, str))):
    from .portable import text  # noqa: F401
del _made, _differ_in_type_only


@micropython.viper
def send(client, message) -> bool:
    """Queue a message: see portable.send."""
    kind = type(message)
    opcode = 2
    data = message
    if kind is str:
        opcode = 1
        data = message.encode()  # which does not copy it
    elif kind is not bytes:
        return bool(client.send_other(message))
    length = int(len(data))
    pos = int(client.out_end)
    end = pos + 2 + length
    if length > 125 or end > int(client.out_limit):
        return bool(client.send_other(message))
    here = ptr8(int(ptr8(client.out)) + pos)
    here[0] = 0x80 | opcode
    here[1] = length
    here = ptr8(int(here) + 2)
    there = ptr8(data)
    while length > 3:  # four at a time: most of the time goes into counting
        here[0] = there[0]
        here[1] = there[1]
        here[2] = there[2]
        here[3] = there[3]
        here = ptr8(int(here) + 4)
        there = ptr8(int(there) + 4)
        length -= 4
    while length > 0:
        here[0] = there[0]
        here = ptr8(int(here) + 1)
        there = ptr8(int(there) + 1)
        length -= 1
    client.out_end = end
    return True
