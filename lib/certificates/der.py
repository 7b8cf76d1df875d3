"""Read dates and public keys from certificates and keys in DER.

Malformed input raises ValueError and nothing else. Sources: X.690 (DER), RFC 5280 section 4.1
(certificates).
"""

from micropython import const

_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_UTC_TIME = const(0x17)
_GENERALIZED_TIME = const(0x18)
_SEQUENCE = const(0x30)
_VERSION = const(0xA0)


def whole(data: bytes) -> bytes:
    """Return the first element of the data, which must be a SEQUENCE, without trailing bytes."""
    return data[: _enter(data, 0, len(data), _SEQUENCE)[1]]


def validity(certificate: bytes) -> list:
    """Return [first, last] moment of validity: (year, month, day, hour, minute, second)."""
    at, end = _fields(certificate)[3]
    moments = []
    for _ in range(2):
        tag, start, at = _element(certificate, at, end)
        moments.append(_moment(tag, certificate[start:at]))
    return moments


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Return whether a private key belongs to a certificate, both in DER.

    A private key also contains the public key: the point of an EC key, or the modulus of an RSA
    key, byte for byte as in the certificate. The point is optional; an EC key that is too short
    to contain it is accepted.
    """
    at, end = _fields(certificate)[5]
    _, _, at = _element(certificate, at, end)  # the algorithm
    at, end = _enter(certificate, at, end, _BIT_STRING)
    public = certificate[at + 1 : end]
    if public[:1] == b"\x30":  # RSA: a SEQUENCE of modulus and exponent; EC: the point
        at, end = _enter(public, 0, len(public), _SEQUENCE)
        at, end = _enter(public, at, end, _INTEGER)
        return public[at:end] in key
    return public in key or len(key) <= len(public) + len(public) // 2


def _fields(certificate):
    """Return [(start, stop)] of serial, algorithm, issuer, validity, subject and public key."""
    at, end = _enter(certificate, 0, len(certificate), _SEQUENCE)
    at, end = _enter(certificate, at, end, _SEQUENCE)
    tag, _, stop = _element(certificate, at, end)
    if tag == _VERSION:
        at = stop
    found = []
    for expected in (_INTEGER,) + (_SEQUENCE,) * 5:
        bounds = _enter(certificate, at, end, expected)
        found.append(bounds)
        at = bounds[1]
    return found


def _enter(data, at, end, expected):
    """Return (start, stop) of the content of the element at `at`, which must have this tag."""
    tag, start, stop = _element(data, at, end)
    if tag != expected:
        raise ValueError
    return start, stop


def _element(data, at, end):
    """Return (tag, start, stop) of the element at `at`, which must end before `end`."""
    head = data[at : min(at + 4, end)]
    if len(head) < 2:
        raise ValueError
    start, size = at + 2, head[1]
    if size >= 0x80:
        count = size - 0x80
        if not 1 <= count <= len(head) - 2:  # lengths of up to 64 KB
            raise ValueError
        start, size = start + count, int.from_bytes(head[2 : 2 + count], "big")
    if start + size > end:
        raise ValueError
    return head[0], start, start + size


def _moment(tag, text):
    """Parse a time: always with seconds, always in UTC (RFC 5280, section 4.1.2.5)."""
    if tag == _UTC_TIME and len(text) == 13:
        text = (b"20" if text[0] < 0x35 else b"19") + text
    elif tag != _GENERALIZED_TIME or len(text) != 15:
        raise ValueError
    if not text[:14].isdigit():
        raise ValueError
    digits = str(text[:14], "ascii")
    parts = [int(digits[:4])] + [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    return tuple(parts)
