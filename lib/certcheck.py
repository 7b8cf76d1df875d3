"""What certificates and keys say of themselves, read out of PEM or DER.

Whatever the bytes are, nothing but ValueError comes of them. Only needed at start: see
`certfiles`. Sources: X.690 (DER), RFC 5280 section 4.1 (certificates), RFC 7468 (PEM).
"""

import binascii

from micropython import const

_INTEGER = const(0x02)
_BITS = const(0x03)
_UTC_TIME = const(0x17)
_GENERALIZED_TIME = const(0x18)
_SEQUENCE = const(0x30)
_VERSION = const(0xA0)


def objects(data: bytes, label: bytes) -> list:
    """The objects in a file, each as DER: those of the PEM blocks whose label ends with `label`,
    or the one that DER itself is.

    ValueError: PEM or DER that is cut off or damaged, or neither.
    """
    found = []
    at = data.find(b"-----BEGIN ")
    if at < 0:
        return [_whole(data)]
    while at >= 0:
        name_end = data.find(b"-----", at + 11)
        end = data.find(b"-----END ", at)
        if not 0 <= name_end < end:
            raise ValueError
        if data[at + 11 : name_end].endswith(label):
            found.append(_whole(binascii.a2b_base64(data[name_end + 5 : end])))
        at = data.find(b"-----BEGIN ", end)
    if not found:
        raise ValueError
    return found


def validity(certificate: bytes) -> list:
    """[first, last] moment of a certificate in DER: (year, month, day, hour, minute, second)."""
    at, end = _fields(certificate)[3]
    moments = []
    for _ in range(2):
        tag, start, at = _element(certificate, at, end)
        moments.append(_moment(tag, certificate[start:at]))
    return moments


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Whether a private key is that of a certificate, both in DER.

    Every usual form of a private key holds the public one as well: an EC key the point, an RSA key
    the modulus, byte for byte as in the certificate. For EC alone it is optional: a key that is
    too short to have it is taken at its word.
    """
    at, end = _fields(certificate)[5]
    _, _, at = _element(certificate, at, end)  # the algorithm
    at, end = _enter(certificate, at, end, _BITS)
    public = certificate[at + 1 : end]
    if public[:1] == b"\x30":  # RSA: the modulus and the exponent, where EC has the point alone
        at, end = _enter(public, 0, len(public), _SEQUENCE)
        at, end = _enter(public, at, end, _INTEGER)
        return public[at:end] in key
    return public in key or len(key) <= len(public) + len(public) // 2


def _fields(certificate):
    """[(start, stop)] of serial number, algorithm, issuer, validity, subject and public key."""
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


def _whole(data):
    """The data without what follows its first element, which must be a sequence."""
    return data[: _enter(data, 0, len(data), _SEQUENCE)[1]]


def _enter(data, at, end, expected):
    """(start, stop) of the content of the element at `at`, which must have this tag."""
    tag, start, stop = _element(data, at, end)
    if tag != expected:
        raise ValueError
    return start, stop


def _element(data, at, end):
    """(tag, start, stop) of the element at `at`; it must lie before `end`."""
    head = data[at : min(at + 4, end)]
    if len(head) < 2:
        raise ValueError
    start, size = at + 2, head[1]
    if size >= 0x80:
        count = size - 0x80
        if not 1 <= count <= len(head) - 2:  # so no more than 64 KB
            raise ValueError
        start, size = start + count, int.from_bytes(head[2 : 2 + count], "big")
    if start + size > end:
        raise ValueError
    return head[0], start, start + size


def _moment(tag, text):
    """RFC 5280, section 4.1.2.5: always with seconds, always in UTC."""
    if tag == _UTC_TIME and len(text) == 13:
        text = (b"20" if text[0] < 0x35 else b"19") + text
    elif tag != _GENERALIZED_TIME or len(text) != 15:
        raise ValueError
    if not text[:14].isdigit():
        raise ValueError
    digits = str(text[:14], "ascii")
    parts = [int(digits[:4])] + [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    return tuple(parts)
