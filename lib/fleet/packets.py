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


def two(number: int) -> bytes:
    """Return a number as two bytes."""
    return bytes((number >> 8, number & 255))


def publish(topic: str, payload, id: int = 0, retain: bool = False) -> bytearray:
    """Return a PUBLISH (3.3): with QoS 1 if it has an id, otherwise with QoS 0."""
    topic = topic.encode()
    kind = _PUBLISH | (_QOS1 if id else 0) | (_RETAIN if retain else 0)
    return packet(kind, two(len(topic)), topic, two(id) if id else b"", payload)


def parse_publish(kind: int, body) -> tuple:
    """Return (topic, position of the payload, id) of a received PUBLISH. The id is 0 for QoS 0.

    Raises ValueError if it is malformed, or if its QoS was not asked for.
    """
    qos = kind & 6
    start = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else 0
    end = start + qos  # the id of QoS 1 takes two bytes
    if qos > _QOS1 or start < 3 or end > len(body):
        raise ValueError("malformed PUBLISH")
    id = body[start] << 8 | body[start + 1] if qos else 0
    if qos and not id:
        raise ValueError("malformed PUBLISH")
    return str(memoryview(body)[2:start], "utf-8"), end, id


class PacketReader:
    """Collect one packet at a time from a non-blocking stream.

    limit: the bytes that a packet may have after its fixed header. kind: its first byte.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._byte = bytearray(1)
        self.reset()

    def reset(self) -> None:
        """Begin with a new packet."""
        self.kind = self._length = self._end = 0
        self._shift = -7  # of the next byte of the length; -7: the first byte comes next
        self._body = None

    def read(self, stream):
        """Return the body of the packet if it is complete, otherwise None.

        Raises ValueError if it is too long, EOFError at the end of the stream, and what readinto()
        raises.
        """
        while True:
            body = self._body
            if body is not None and self._end == self._length:
                return body
            part = self._byte if body is None else memoryview(body)[self._end :]
            count = stream.readinto(part)
            if count is None:
                return None
            if not count:
                raise EOFError("closed by the broker")
            if body is not None:
                self._end += count
                continue
            byte = part[0]
            if self._shift < 0:
                self.kind = byte
            else:
                self._length |= (byte & 127) << self._shift
                if self._length > self._limit or byte > 127 and self._shift == _MAX_SHIFT:
                    raise ValueError("a packet of more than %d bytes" % self._limit)
                if byte < 128:
                    self._body = bytearray(self._length)
            self._shift += 7
