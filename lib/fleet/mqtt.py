"""An MQTT 3.1.1 client in the poll loop of a server. It never waits for the broker."""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from wsserver import lazy

from . import packets

_PUBLISH = const(0x30)  # the first byte of a packet (2.2.1)
_PUBACK = const(0x40)
_PINGRESP = const(0xD0)
_TICK = const(100)  # ms
_PACKETS = const(4)  # handled in one turn of the loop, so that a flood cannot hold it up
_MAX_CONTROL = const(8)  # packets beside the queue; without room, nothing is read
_EXTRA = const(300)  # bytes of a packet beside its payload
_PAUSE = const(5000)  # ms until the next attempt if there is no memory to find a better time


class MQTTClient:
    """Connect to a broker, and connect again after each loss.

    options: the section "fleet" of the settings. root: of the topics to subscribe to. A subclass
    has _on_connect(), and _on_message(topic, payload, retained), which raises ValueError for a
    message that the broker should not have sent.

    connected: whether the broker has accepted the client. dropped: the messages that the queue had
    no room for. fleet.opening and fleet.losing use the other public attributes. queue: (id,
    PUBLISH of QoS 1) until it is acknowledged; `sent` of them were sent on this connection.
    """

    connected = False
    dropped = attempts = delay = sent = 0
    reason = ""
    sock: Anything = None
    raw: Anything = None
    opening: Anything = None
    _on_connect: Anything  # methods of a subclass
    _on_message: Anything
    _size = _last_id = _written = 0
    _current = None  # the packet of which `_written` bytes are written
    _alive = True  # whether the broker has sent anything since the last PINGREQ

    def __init__(self, server, options: dict, root: str):
        self.server = server
        self.options = options
        self.root = root
        self.reader = packets.PacketReader(server.max_size + _EXTRA)
        self.queue = []
        self._control = []  # other packets, which are sent first
        self.due = ticks_ms()  # of the next attempt, or of the next PINGREQ
        server.every(_TICK, self._tick)

    def publish(self, topic: str, payload, retain: bool = False) -> bool:
        """Send a message with QoS 1, after those before it. payload: bytes-like.

        It waits in the queue until the broker has acknowledged it. Return False if it was dropped.
        """
        self._last_id = id = self._last_id % 65535 + 1
        packet = packets.publish(topic, payload, id, retain)
        room = self.options["queue"] - len(packet)
        while self._size > room:
            self.dropped += 1
            if room < 0 or self.options["overflow"] != "oldest" or self.sent == len(self.queue):
                return False
            self._remove(self.sent)
        self.queue.append((id, packet))
        self._size += len(packet)
        self._flush()
        return True

    def announce(self, topic: str, payload) -> None:
        """Send a retained message with QoS 0 before all others. Without a broker it is lost."""
        if self.connected and len(self._control) < _MAX_CONTROL:
            self._control.append(packets.publish(topic, payload, 0, True))

    def begin(self, sock, raw) -> None:
        """Use a connection that fleet.opening has opened. raw: the socket below TLS."""
        self.sock = sock
        self.raw = raw
        self.connected = self._alive = True
        self._set_due()
        self.server.add_reader(sock, self._read)
        self._on_connect()
        self._flush()

    def _set_due(self):
        self.due = ticks_add(ticks_ms(), self.options["keepalive"] * 500)

    def _remove(self, index):
        self._size -= len(self.queue.pop(index)[1])

    def _flush(self):
        """Write what the broker takes. The order of the queue stays the order of the messages."""
        try:
            while self.connected:
                packet = self._current
                if not packet:
                    if self._control:
                        packet = self._control.pop(0)
                    elif self.sent < len(self.queue):
                        packet = self.queue[self.sent][1]
                        self.sent += 1
                    else:
                        return
                    self._current = packet
                    self._written = 0
                # TLS needs the same bytes again until it has taken them.
                count = self.sock.write(packet, self._written, len(packet) - self._written)
                if not count:
                    return
                self._written += count
                if self._written == len(packet):
                    self._current = None
        except OSError as error:
            self._lost(error)

    def _read(self, sock):
        reader = self.reader
        try:
            for _ in range(_PACKETS):
                if self.sock is not sock or len(self._control) >= _MAX_CONTROL:
                    break
                body = reader.read(sock)
                if body is None:
                    break
                self._alive = True
                self._handle(reader.kind, body)
                reader.reset()
        except (OSError, ValueError, EOFError, MemoryError) as error:
            self._lost(error)
        self._flush()

    def _handle(self, kind, body):
        if kind & 0xF0 == _PUBLISH:
            topic, start, id = packets.parse_publish(kind, body)
            self._on_message(topic, memoryview(body)[start:], kind & 1)
            if id:
                self._control.append(packets.packet(_PUBACK, packets.two(id)))
        elif kind == _PUBACK and len(body) == 2:
            for index in range(self.sent):
                if self.queue[index][0] == body[0] << 8 | body[1]:
                    self._remove(index)
                    self.sent -= 1
                    break
        elif kind != _PINGRESP or body:
            raise ValueError("unexpected packet 0x%02x" % kind)

    def _tick(self):
        """Advance what waits for time. Called ten times a second."""
        is_due = ticks_diff(ticks_ms(), self.due) >= 0
        try:
            if self.connected:
                self._flush()
                if is_due:
                    if not self._alive:
                        raise OSError("no answer")
                    self.delay = 0  # the connection is stable: this ends the backoff
                    self._alive = False
                    self._set_due()
                    self._control.append(b"\xc0\0")  # PINGREQ (3.12)
            elif self.opening:
                next(self.opening)
            elif is_due:
                self.opening = lazy.load("fleet.opening").connect(self)
        except StopIteration:  # connected
            self._end_opening()
        except (OSError, ValueError, EOFError, MemoryError) as error:
            self._lost(error)

    def _end_opening(self):
        if self.opening:
            self.opening.close()
            self.opening = None
        for name in ("opening", "resolver", "clock"):
            lazy.unload("fleet." + name)

    def _lost(self, error):
        """Close the connection, and wait for the next attempt."""
        if self.sock:
            self.server.remove_reader(self.sock)
            self.sock.close()
            self.raw.close()  # a failed TLS handshake leaves it open
        self.sock = self._current = None
        self.connected = False
        self._control.clear()
        self.reader.reset()
        self._end_opening()
        self.due = ticks_add(ticks_ms(), _PAUSE)
        try:
            lazy.call("fleet.losing", "plan", self, error)
        except MemoryError:
            pass
