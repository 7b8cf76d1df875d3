"""MQTT 3.1.1 packets without I/O. Also runs on CPython, where the fuzzer tests it.

The sections are those of https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html
"""

from wsserver.core.frames import const

CONNACK = 0x20  # the first byte of a packet (2.2.1)
PUBLISH = 0x30
PUBACK = 0x40
SUBACK = 0x90
PINGRESP = 0xD0
_CONNECT = const(0x10)
_SUBSCRIBE = const(0x82)
_RETAIN = const(1)
_QOS1 = const(2)
_MAX_SHIFT = const(21)  # of the fourth and last byte of a length (2.2.3)


def _packet(kind, length, *parts):
    """Return a packet of this kind with `length` bytes after its fixed header."""
    out = bytearray((kind,))
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    for part in parts:
        out.extend(part)
    return out


def _two(number):
    return bytes((number >> 8, number & 255))


def connect(client_id: str, keepalive: int, user: str, password: str, will: tuple) -> bytearray:
    """Return a CONNECT with a clean session and a retained will of QoS 1 (3.1).

    keepalive: in seconds. will: (topic, payload).
    """
    flags = 0x02 | 0x04 | 0x08 | 0x20
    texts = [client_id.encode(), will[0].encode(), will[1]]
    if user:
        flags |= 0x80 | 0x40
        texts.extend((user.encode(), password.encode()))
    parts = [b"\0\4MQTT\4", bytes((flags,)), _two(keepalive)]
    for text in texts:
        parts.extend((_two(len(text)), text))
    return _packet(_CONNECT, sum([len(part) for part in parts]), *parts)


def subscribe(id: int, topics) -> bytearray:
    """Return a SUBSCRIBE to topics with QoS 1 (3.8). id: of the packet, 1 to 65535."""
    parts = [_two(id)]
    for topic in topics:
        topic = topic.encode()
        parts.extend((_two(len(topic)), topic, b"\1"))
    return _packet(_SUBSCRIBE, sum([len(part) for part in parts]), *parts)


def publish(topic: str, payload, id: int = 0, retain: bool = False) -> bytearray:
    """Return a PUBLISH (3.3): with QoS 1 if it has an id, otherwise with QoS 0.

    payload: bytes-like.
    """
    name = topic.encode()
    kind = PUBLISH | (_QOS1 if id else 0) | (_RETAIN if retain else 0)
    length = 2 + len(name) + (2 if id else 0) + len(payload)
    return _packet(kind, length, _two(len(name)), name, _two(id) if id else b"", payload)


def puback(id: int) -> bytes:
    """Return the acknowledgement of a PUBLISH (3.4)."""
    return bytes((PUBACK, 2, id >> 8, id & 255))


def number(body) -> int:
    """Return the packet id at the start of a body."""
    return body[0] << 8 | body[1]


def parse_publish(kind: int, body) -> tuple:
    """Return (topic, position of the payload, id) of a received PUBLISH. The id is 0 for QoS 0.

    Raises ValueError if it is malformed, or if its QoS was not asked for.
    """
    start = 2 + number(body) if len(body) > 1 else 0
    qos = kind & 6
    end = start + 2 if qos else start
    if qos > _QOS1 or start < 3 or end > len(body):
        raise ValueError("malformed PUBLISH")
    topic = str(memoryview(body)[2:start], "utf-8")
    id = body[start] << 8 | body[start + 1] if qos else 0
    if qos and not id:
        raise ValueError("malformed PUBLISH")
    return topic, end, id


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
        self.kind = 0
        self._shift = -1  # of the next byte of the length; -1: the first byte comes next
        self._length = self._end = 0
        self._body = None

    def read(self, stream):
        """Return the body of the packet if it is complete, otherwise None.

        Raises ValueError if it is malformed or too long, EOFError at the end of the stream, and
        what readinto() raises.
        """
        while self._body is None:
            if not self._fill(stream, self._byte):
                return None
            byte = self._byte[0]
            if self._shift < 0:
                self._shift = 0
                self.kind = byte
                continue
            self._length |= (byte & 127) << self._shift
            if self._length > self._limit or byte > 127 and self._shift == _MAX_SHIFT:
                raise ValueError("a packet of more than %d bytes" % self._limit)
            self._shift += 7
            if byte < 128:
                if not _is_valid(self.kind, self._length):
                    raise ValueError("unexpected packet 0x%02x" % self.kind)
                self._body = bytearray(self._length)
        while self._end < self._length:
            count = self._fill(stream, memoryview(self._body)[self._end :])
            if not count:
                return None
            self._end += count
        return self._body

    def _fill(self, stream, buffer):
        count = stream.readinto(buffer)
        if count == 0:
            raise EOFError("closed by the broker")
        return count


def _is_valid(kind, length):
    """Return whether a broker may send a packet with this first byte and length."""
    if kind & 0xF0 == PUBLISH:
        return length > 2
    if kind in (CONNACK, PUBACK):
        return length == 2
    return kind == SUBACK and length > 2 or kind == PINGRESP and length == 0
