"""Surrogates in text, which UTF-8 does not allow (RFC 3629, section 3). Loaded on first use."""


def join_pairs(data, validate_utf8) -> bytearray:
    """Return bytes in which each pair of surrogates, of 3 bytes each, has become one character.

    validate_utf8: as in portable.py.

    Raises ValueError if a surrogate has no partner, or if the result is not UTF-8.
    """
    joined = bytearray()
    start = pos = 0
    while pos < len(data):
        half = _surrogate(data, pos)
        if half:
            other = _surrogate(data, pos + 3)
            if half >= 0xDC00 or other < 0xDC00:
                raise ValueError("half of a surrogate pair at byte %d of a text" % pos)
            joined += data[start:pos]
            code = 0x10000 + ((half & 0x3FF) << 10 | other & 0x3FF)
            for shift, lead in ((18, 0xF0), (12, 0x80), (6, 0x80), (0, 0x80)):
                joined.append(lead | code >> shift & (7 if shift == 18 else 0x3F))
            pos += 5
            start = pos + 1
        pos += 1
    joined += data[start:]
    if validate_utf8(joined, 0, len(joined), 0, 0):
        raise ValueError("a text is not UTF-8")
    return joined


def _surrogate(data, pos):
    """Return the surrogate at data[pos], or 0."""
    if pos + 2 < len(data) and data[pos] == 0xED and data[pos + 1] > 0x9F:
        return 0xD000 | (data[pos + 1] & 0x3F) << 6 | data[pos + 2] & 0x3F
    return 0
