"""MQTT 3.1.1 packets without I/O. Also runs on CPython, where the fuzzer tests it.

The sections are those of https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html
"""

from wsserver.core.frames import const

_PUBLISH = const(0x30)  # the first byte of a packet (2.2.1)
_RETAIN = const(1)
_QOS1 = const(2)
_MAX_SHIFT = const(21)  # of the fourth and last byte of a length (2.2.3)


def packet(kind: int, *parts) -> bytearray:
    """Return a packet whose first byte is `kind`."""
    length = sum([len(part) for part in parts])
    out = bytearray((kind,))
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    for part in parts:
        out.extend(part)
    return out


def text(data) -> bytes:
    """Return a str with its length before it (1.5.3)."""
    data = data.encode()
    return len(data).to_bytes(2, "big") + data


def publish(topic: str, payload, id: int = 0, retain: bool = False) -> bytearray:
    """Return a PUBLISH (3.3): with QoS 1 if it has an id, otherwise with QoS 0."""
    kind = _PUBLISH | (_QOS1 if id else 0) | (_RETAIN if retain else 0)
    return packet(kind, text(topic), id.to_bytes(2, "big") if id else b"", payload)


def read(stream, limit: int):
    """Yield (first byte, body) of each packet from a non-blocking stream, None between them.

    Raises ValueError if a body has more than `limit` bytes, EOFError at the end of the stream, and
    what readinto() raises. A generator takes 400 bytes less than a class.
    """
    head = bytearray(1)
    while True:
        data = None
        kind = length = start = 0
        shift = -7  # of the next byte of the length; -7: the first byte comes next
        while data is None or start < length:
            part = head if data is None else memoryview(data)[start:]
            count = stream.readinto(part)
            if count is None:
                yield None
            elif not count:
                raise EOFError("closed by the broker")
            elif data is not None:
                start += count
            else:
                byte = part[0]
                if shift < 0:
                    kind = byte
                else:
                    length |= (byte & 127) << shift
                    if length > limit or byte > 127 and shift == _MAX_SHIFT:
                        raise ValueError("a packet of more than %d bytes" % limit)
                    if byte < 128:
                        data = bytearray(length)
                shift += 7
        yield kind, data
