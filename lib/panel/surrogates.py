"""Join surrogate pairs, which MicroPython's json leaves as they are. Loaded for one call."""


def join(data) -> str:
    """Return UTF-8 data as text, with each surrogate pair replaced by its character.

    MicroPython's json leaves "\\ud83d\\ude00" as two surrogates, which are not valid UTF-8.
    Raises ValueError if a surrogate is not part of a pair.
    """
    joined = bytearray()
    start = 0
    while True:
        at = data.find(b"\xed", start)
        if at < 0:
            break
        joined.extend(data[start:at])
        start = at + 3
        if data[at + 1] > 0x9F:  # a high surrogate; a low one must follow
            if data[at + 1] > 0xAF or data[start] != 0xED or data[at + 4] < 0xB0:
                raise ValueError("\\ud800 to \\udfff must be pairs")
            start = at + 6
            first = (data[at + 1] & 15) << 16 | (data[at + 2] & 63) << 10
            code = 0x10000 + (first | (data[at + 4] & 15) << 6 | data[at + 5] & 63)
            joined.extend(chr(code).encode())
        else:
            joined.extend(data[at:start])
    joined.extend(data[start:])
    return str(joined, "utf-8")
