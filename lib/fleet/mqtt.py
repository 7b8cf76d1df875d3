"""An MQTT 3.1.1 client in the poll loop of a server. It never waits for the broker."""

import errno
from os import urandom
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from wsserver import INFO, WARNING, lazy
from wsserver.log import describe

from . import packets

_WAITING = const(0)  # for the next attempt
_OPENING = const(1)  # fleet.opening resolves the name and opens the socket
_GREETING = const(2)  # CONNECT waits for its answer
_CONNECTED = const(3)
_TICK = const(100)  # ms
_TIMEOUT = const(10000)  # ms for each step of connecting, and for the answer to a PINGREQ
_FIRST_DELAY = const(1000)  # ms until the second attempt
_STABLE = const(10000)  # ms after which a connection ends the backoff
_PACKETS = const(4)  # handled in one turn of the loop, so that a flood cannot hold it up
_MAX_CONTROL = const(8)  # packets beside the queue; without room, nothing is read
_DUP = const(8)  # flag of a PUBLISH that may have been received already (3.3.1.1)
_UNAVAILABLE = const(3)  # a CONNACK's code
_EXTRA = const(300)  # bytes of a packet beside its payload
_MODULES = const(("fleet.opening", "fleet.resolver", "fleet.clock", "fleet.addresses"))


class MQTTClient:
    """Connect to a broker, and connect again after each loss, with backoff and jitter.

    options: the section "fleet" of the settings. will: (topic, payload), retained. on_connect():
    called when the broker has accepted the client. on_message(topic, payload, retained): may raise
    ValueError for a message that the broker should not have sent. connected: whether the broker
    has accepted the client. dropped: the messages that the queue had no room for.
    """

    connected = False

    def __init__(self, server, options: dict, client_id: str, will, on_connect, on_message):
        self._server = server
        self._options = options
        self._client_id = client_id
        self._will = will
        self._on_connect = on_connect
        self._on_message = on_message
        self._reader = packets.PacketReader(server.max_size + _EXTRA)
        self._queue = []  # PUBLISH packets of QoS 1, until the broker has acknowledged them
        self._ids = []  # theirs
        self._next = 0  # index of the first that has not been sent on this connection
        self._queued = 0  # bytes
        self._control = []  # other packets, which are sent first
        self._current = None  # the packet that is being written, and how much of it is
        self._written = 0
        self._last_id = 0
        self._socket: Anything = None
        self._raw: Anything = None  # the socket below TLS
        self._steps: Anything = None
        self._delay = self._attempts = 0
        self._reason = ""
        self.dropped = 0
        self._state = _WAITING
        self._due = self._heard = self._sent = self._since = ticks_ms()
        server.every(_TICK, self._tick)

    # --- sending

    def publish(self, topic: str, payload, retain: bool = False) -> bool:
        """Send a message with QoS 1, after those before it. payload: bytes-like.

        It waits in the queue until the broker has acknowledged it. Return False if it was dropped.
        """
        self._last_id = id = self._last_id % 65535 + 1
        packet = packets.publish(topic, payload, id, retain)
        limit = self._options["queue"]
        if len(packet) > limit:
            self.dropped += 1
            return False
        while self._queued + len(packet) > limit:
            self.dropped += 1
            if self._options["overflow"] == "newest" or self._next == len(self._queue):
                return False
            self._remove(self._next)
        self._queue.append(packet)
        self._ids.append(id)
        self._queued += len(packet)
        self._flush()
        return True

    def announce(self, topic: str, payload) -> None:
        """Send a retained message with QoS 0 before all others. Without a broker it is lost."""
        if self._state == _CONNECTED and len(self._control) < _MAX_CONTROL:
            self._control.append(packets.publish(topic, payload, 0, True))
            self._flush()

    def subscribe(self, *topics) -> None:
        """Subscribe to topics with QoS 1. on_connect() has to do it for each connection."""
        self._control.append(packets.subscribe(1, topics))
        self._flush()

    def _remove(self, index):
        self._queued -= len(self._queue.pop(index))
        self._ids.pop(index)

    def _flush(self):
        """Write what the broker takes. The order of the queue stays the order of the messages."""
        try:
            while self._current or self._take():
                packet = self._current
                left = len(packet) - self._written
                count = self._socket.write(packet, self._written, left)
                if not count:
                    return
                self._sent = ticks_ms()
                self._written += count
                if count == left:
                    self._current = None
        except OSError as error:
            # While TCP connects, ports differ in what they raise.
            pending = (errno.EINPROGRESS, errno.EALREADY, errno.ENOTCONN)
            if self._state != _GREETING or error.errno not in pending:
                self._lost(error)

    def _take(self):
        """Take the next packet to be written; return it, or None."""
        if self._control and self._state >= _GREETING:
            self._current = self._control.pop(0)
        elif self._state == _CONNECTED and self._next < len(self._queue):
            self._current = self._queue[self._next]
            self._next += 1
        self._written = 0
        return self._current

    # --- receiving

    def _read(self, sock):
        reader = self._reader
        try:
            for _ in range(_PACKETS):
                if len(self._control) >= _MAX_CONTROL or self._socket is not sock:
                    break
                body = reader.read(sock)
                if body is None:
                    break
                self._heard = ticks_ms()
                self._handle(reader.kind, body)
                reader.reset()
        except (OSError, ValueError, EOFError, MemoryError) as error:
            self._lost(error)
        self._flush()

    def _handle(self, kind, body):
        if self._state != _CONNECTED:
            if kind != packets.CONNACK:
                raise ValueError("unexpected packet 0x%02x" % kind)
            self._greeted(body[1])
        elif kind & 0xF0 == packets.PUBLISH:
            topic, start, id = packets.parse_publish(kind, body)
            self._on_message(topic, memoryview(body)[start:], kind & 1)
            if id:
                self._control.append(packets.puback(id))
        elif kind == packets.PUBACK:
            id = packets.number(body)
            if id in self._ids[: self._next]:
                self._remove(self._ids.index(id))
                self._next -= 1
        elif kind == packets.SUBACK:
            if max(body[2:]) > 1:
                raise ValueError("the broker refuses the subscription")
        elif kind != packets.PINGRESP:
            raise ValueError("unexpected packet 0x%02x" % kind)

    def _greeted(self, code):
        """Process the answer to CONNECT (3.2)."""
        if code and code != _UNAVAILABLE:
            self._delay = self._longest()  # it would be refused again
        if code:
            raise ValueError(lazy.call("fleet.addresses", "refusal", code))
        self._state = _CONNECTED
        self.connected = True
        self._since = self._heard
        self._reason = ""
        self._server.log(INFO, "fleet: connected to %s" % self._host())
        self._next = len(self._queue)  # what on_connect() sends comes first
        self._on_connect()
        self._next = 0

    # --- connecting

    def _tick(self):
        """Advance what waits for time. Called ten times a second."""
        now = ticks_ms()
        if self._state == _CONNECTED:
            if self._current or self._control:
                self._flush()
            self._keep_alive(now)
        elif self._state == _OPENING:
            self._step(now)
        elif self._state == _GREETING:
            self._flush()
            if self._state == _GREETING and ticks_diff(now, self._due) >= 0:
                self._lost("no answer")
        elif ticks_diff(now, self._due) >= 0:
            self._state = _OPENING
            self._due = ticks_add(now, 2 * _TIMEOUT)
            try:
                opening = lazy.load("fleet.opening")
                self._steps = opening.connect(self._server, self._options, self._attempts)
            except MemoryError as error:
                self._lost(error)

    def _step(self, now):
        """Continue with connecting: one step of fleet.opening, which returns the socket."""
        try:
            if ticks_diff(now, self._due) >= 0:
                raise OSError("no answer")
            next(self._steps)
        except StopIteration as stop:
            self._begin(stop.value, now)
        except (OSError, ValueError, MemoryError) as error:
            self._lost(error)

    def _begin(self, sockets, now):
        options = self._options
        self._steps = None
        lazy.unload(*_MODULES)
        sock, self._raw = sockets
        self._socket = sock
        self._reader.reset()
        self._state = _GREETING
        self._due = ticks_add(now, _TIMEOUT)
        names = (options["user"], options["password"])
        packet = packets.connect(self._client_id, options["keepalive"], *names, self._will)
        self._control.append(packet)
        self._server.add_reader(sock, self._read)
        self._flush()

    def _keep_alive(self, now):
        """Send a PINGREQ after half of the keepalive time; close if the broker stays silent."""
        if self._delay and ticks_diff(now, self._since) > _STABLE:
            self._delay = 0
        interval = self._options["keepalive"] * 500
        silent = ticks_diff(now, self._heard)
        if silent > interval + _TIMEOUT:
            self._lost("no answer")
        else:
            quiet = ticks_diff(now, self._sent)
            if quiet < interval and (silent < interval or quiet < _TIMEOUT >> 1):
                return
            self._sent = now
            self._control.append(b"\xc0\0")  # PINGREQ (3.12)
            self._flush()

    def _lost(self, reason):
        """Close the connection, and wait for the next attempt. reason: a str or an exception."""
        if self._state == _WAITING:
            return
        if self._steps:
            self._steps.close()
            self._steps = None
        lazy.unload(*_MODULES)
        sock = self._socket
        if sock:
            self._server.remove_reader(sock)
            sock.close()
            self._raw.close()  # a failed TLS handshake leaves it open
            self._socket = self._raw = None
        self._control.clear()
        self._current = None
        for packet in self._queue[: self._next]:
            packet[0] |= _DUP
        self._state = _WAITING
        self.connected = False
        longest = self._longest()
        self._delay = min(max(2 * self._delay, _FIRST_DELAY), longest)
        wait = self._delay // 2 + (self._delay // 2 * urandom(1)[0] >> 8)  # jitter
        self._due = ticks_add(ticks_ms(), wait)
        self._report(reason)
        self._attempts += 1

    def _longest(self):
        return int(self._options["backoff"] * 1000)

    def _report(self, reason):
        """Log why there is no connection, unless this was the reason the last time, too."""
        if not isinstance(reason, str):
            reason = describe(reason)
        if reason != self._reason:
            self._reason = reason
            text = "fleet: %s: %s; trying again in up to %s s"
            self._server.log(WARNING, text % (self._host(), reason, self._options["backoff"]))

    def _host(self):
        return lazy.call("fleet.addresses", "choose", self._options, self._attempts)[0]
