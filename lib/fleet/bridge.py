"""Publish what a server sends to the topics of docs/fleet.md: a client of MQTT 3.1.1.

It runs in the poll loop of the server and never waits for the broker. Its attributes have names
that the firmware uses already, because each new one takes 20 bytes of the heap. It is one class in
one module, because two take 300 bytes more.
"""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from wsserver import lazy
from wsserver.core.frames import payload_of

from . import packets

_PUBLISH = const(0x30)  # the first byte of a packet (2.2.1)
_PUBACK = const(0x40)
_PINGRESP = const(0xD0)
_TICK = const(100)  # ms
_PACKETS = const(4)  # handled in one turn of the loop, so that a flood cannot hold it up
_MAX_CONTROL = const(8)  # packets beside the queue; without space, nothing is read
# Messages that wait for an acknowledgement. Without a leader, NATS takes 4 s for each
# retained one, and passes on none of those that it has read together.
_IN_FLIGHT = const(4)
_MAX_PINGS = const(2)  # without an answer; NATS elects leaders for up to 9 s
_PAUSE = const(5000)  # ms until the next attempt if there is no memory to find a better time


def level(path: str) -> str:
    """Return a level of a topic for a path or the name of a group.

    Every byte but A-Z, a-z, 0-9 and "-" becomes "_" and two hex digits. The first "/" is left out.
    """
    if path == "/":
        return "_root"
    out = bytearray()
    for byte in path.encode():  # bytes, because MicroPython interns the characters of a str
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 45:
            out.append(byte)
        elif out or byte != 47:
            out += b"_%02x" % byte
    return str(out, "utf-8")


class Bridge:
    """Publish broadcasts and replies of a server, and pass the messages of viewers to it.

    settings: the section "fleet". prefix: of the board's topics. is_open: whether the broker has
    accepted the board. dropped: how many messages found the queue full. panel: the board's if its
    widgets are published, or None.

    queue: (id, PUBLISH of QoS 1) until it is acknowledged; `sent` of them were sent on this
    connection. fleet.connect and fleet.backoff use the other public attributes: failures counts
    lost connections and failed attempts, reason describes the latest one.
    """

    is_open = False
    dropped = failures = backoff = sent = 0
    reason = ""
    sock: Anything = None
    raw: Anything = None
    opening: Anything = None
    decoder: Anything = None
    panel: Anything = None
    _size = _last_id = _out_start = _pong_due = 0
    _started = True  # False until the first message is acknowledged; the state follows
    _out = None  # the packet of which `_out_start` bytes are written

    def __init__(self, board):
        # The board is not kept: it has all settings, several KB.
        self.server = server = board.server
        self.settings = settings = board.settings["fleet"]
        self.prefix = "%s/v1/%s/" % (settings["prefix"], board.name)
        self.queue = []
        self._control = []  # other packets, which are sent first
        self.due = ticks_ms()  # of the next attempt, or of the next PINGREQ
        if settings["discovery"] and "panel" in lazy.loaded():
            self.panel = board.panel
        server._relay = self._relay
        server.every(_TICK, self._step)
        server.every(int(settings["interval"] * 1000), self._report)

    # --- the server's endpoints

    def admits(self, path: str) -> bool:
        """Return whether viewers may use this endpoint: not the admin's, which are reserved."""
        route = self.server.routes.get(path)
        if not route and self.server.patterns:
            route, _ = lazy.call("wsserver.http.patterns", "resolve", self.server, path)
        return not getattr(route, "reserved", True)

    def _relay(self, message, path=None, group=None):
        """Publish a broadcast once. The server calls this after it has sent it to its clients."""
        if path is None or self.admits(path):
            where = level(path) if path else "_all"
            if group is None:
                self.send("all/" + where, message, self.settings["retain"])
            else:
                self.send("group/%s/%s" % (where, level(group)), message)
        if self.panel and path == "/panel" and message.find('"values": {"') > 0:  # a change
            lazy.call("fleet.discovery", "publish_values", self)

    def send(self, topic: str, message, retain: bool = False) -> bool:
        """Publish a message to viewers; its type is the last level of the topic.

        Return whether the queue has space for it. Raises TypeError or ValueError as client.send().
        """
        topic += "/text" if isinstance(message, str) else "/binary"
        payload = payload_of(message, "send() takes")
        try:
            return self.publish(self.prefix + topic, payload, retain)
        except MemoryError:  # local clients must not suffer
            self.dropped += 1
            return False

    def publish(self, topic: str, payload, retain: bool = False) -> bool:
        """Send a message with QoS 1, after those before it. payload: bytes-like.

        It waits in the queue until the broker has acknowledged it. Return False if it was dropped.
        """
        self._last_id = id = self._last_id % 65535 + 1
        packet = packets.publish(topic, payload, id, retain)
        space = self.settings["queue"] - len(packet)
        while self._size > space:
            self.dropped += 1
            if space < 0 or self.settings["overflow"] != "oldest" or self.sent == len(self.queue):
                return False
            self._drop(self.sent)
        self.queue.append((id, packet))
        self._size += len(packet)
        self._flush()
        return True

    def announce(self, topic: str, payload) -> None:
        """Send a retained message with QoS 0 before all others. Without a broker it is lost."""
        if self.is_open and len(self._control) < _MAX_CONTROL:
            self._control.append(packets.publish(topic, payload, 0, True))

    # --- MQTT

    def adopt(self) -> None:
        """Use the connection that fleet.connect has opened."""
        self.is_open = True
        self._pong_due = 0
        self._advance()
        self.server.add_reader(self.sock, self._read)
        self._started = not self.queue
        if self._started:
            self._report("start")
        self._flush()

    def _report(self, function="report"):
        """Publish the state: at intervals, and with "start" for a new connection."""
        if self.is_open:
            lazy.call("fleet.state", function, self)

    def _advance(self):
        self.due = ticks_add(ticks_ms(), self.settings["keepalive"] * 500)

    def _drop(self, index):
        self._size -= len(self.queue.pop(index)[1])

    def _flush(self):
        """Write what the broker takes. The order of the queue stays the order of the messages."""
        try:
            while self.is_open:
                packet = self._out
                if not packet:
                    if self._control:
                        packet = self._control.pop(0)
                    elif self.sent < min(len(self.queue), _IN_FLIGHT if self._started else 1):
                        packet = self.queue[self.sent][1]
                        self.sent += 1
                    else:
                        return
                    self._out = packet
                    self._out_start = 0
                # TLS needs the same bytes again until it has taken them.
                count = self.sock.write(packet, self._out_start, len(packet) - self._out_start)
                if not count:
                    return
                self._out_start += count
                if self._out_start == len(packet):
                    self._out = None
        except OSError as error:
            self._on_lost(error)

    def _read(self, sock):
        try:
            for _ in range(_PACKETS):
                if self.sock is not sock or len(self._control) >= _MAX_CONTROL:
                    break
                found = next(self.decoder)
                if not found:
                    break
                self._pong_due = 0
                self._receive(*found)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            self._on_lost(error)
        self._flush()

    def _receive(self, kind, data):
        if kind & 0xF0 == _PUBLISH:
            id = lazy.load("fleet.incoming").deliver(self, kind, data)
            if not self.server.remote_clients:
                lazy.unload("fleet.incoming", "fleet.remote")
            if id:
                self._control.append(packets.packet(_PUBACK, id.to_bytes(2, "big")))
        elif kind == _PUBACK and len(data) == 2:
            for index in range(self.sent):
                if self.queue[index][0] == data[0] << 8 | data[1]:
                    self._drop(index)
                    self.sent -= 1
                    break
            if not self._started:
                self._started = True
                self._report("start")
        elif kind != _PINGRESP or data:
            raise ValueError("unexpected packet 0x%02x" % kind)

    def _step(self):
        """Advance what waits for time. Called ten times a second."""
        is_due = ticks_diff(ticks_ms(), self.due) >= 0
        try:
            if self.is_open:
                self._flush()
                if is_due:
                    if self._pong_due >= _MAX_PINGS:
                        raise OSError("no answer")
                    self.backoff = 0  # the connection is stable
                    self._pong_due += 1
                    self._advance()
                    self._control.append(b"\xc0\0")  # PINGREQ (3.12)
            elif self.opening:
                next(self.opening)
            elif is_due:
                self.opening = lazy.load("fleet.connect").connect(self)
        except StopIteration:  # connected
            self.opening = None
        except (OSError, ValueError, EOFError, MemoryError) as error:
            self._on_lost(error)

    def _on_lost(self, error):
        """Close the connection, and wait for the next attempt."""
        if self.sock:
            self.server.remove_reader(self.sock)
            self.sock.close()
            self.raw.close()  # a failed TLS handshake leaves it open
        self.sock = self.opening = self.decoder = self._out = None
        self.is_open = False
        self._control.clear()
        self.due = ticks_add(ticks_ms(), _PAUSE)
        try:
            lazy.call("fleet.backoff", "report", self, error)
        except MemoryError:
            pass
