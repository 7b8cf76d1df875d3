"""Rate limits for each IP address, or each /64 network of IPv6."""

from time import ticks_diff, ticks_ms

from wsserver.core.frames import const
from wsserver.core.protocol import Client

from ..lazy import call, load
from .request import HTTPError

_OPEN = const(0)  # states: see core.buffers
_POLICY_VIOLATION = const(1008)
_MAX_ADDRESSES = const(16)  # remembered at once; the one idle longest is evicted
_MAX_IDLE = const(180000)  # ms after which an address is forgotten: all its levels are 0
_SWEEPS = const(16)  # between two searches for such addresses
_BURST = const(2)  # seconds' worth of messages or bytes that fit in a burst
_SECOND = const(1000)  # ms
_MINUTE = const(60000)

Client._counted_messages = Client._counted_bytes = 0  # those that the limits have seen


class Limits:
    """Limits for each IP address; None means no limit.

    connections: connections at the same time; further ones are closed at once. handshakes: HTTP
    requests and TLS connections per minute; further ones get 429, or are closed. messages, bytes:
    messages and bytes per second from all clients of the address, with bursts of twice the rate. A
    client beyond that is closed with 1008. Control frames and fragments count as messages. Clients
    of reserved paths are not counted.
    """

    def __init__(self, connections=None, handshakes=None, messages=None, bytes=None):
        rates = {"connections": connections, "handshakes": handshakes}
        call(".http.arguments", "check_rates", messages=messages, bytes=bytes, **rates)
        self._connections = connections
        self._handshakes = handshakes
        self._messages = messages
        self._bytes = bytes
        self._addresses = {}  # IP -> _Address
        self._sweeps = 0

    def admits(self, ip: str, connections) -> bool:
        """Return whether `ip` may open one more connection; `connections` are those open."""
        if self._connections is None:
            return True
        ip, count = _network(ip), 0
        for connection in connections:
            count += _network(connection._address[0]) == ip
        return count < self._connections

    def check_connection(self, ip: str, connections, tls) -> None:
        """Check whether `ip` may open one more connection, before any work is done for it.

        Raises HTTPError 429.
        """
        if not self.admits(ip, connections):
            raise HTTPError(429, "too many connections (limits.connections)", "Retry-After: 60")
        if tls:  # a TLS handshake takes a chip more time than a request: it is counted first
            self.check_handshake(ip)

    def check_handshake(self, ip: str) -> None:
        """Count an HTTP request.

        Raises HTTPError 429 if there were too many.
        """
        if self._handshakes is not None:
            bucket = self._address(ip).handshakes
            if not bucket.take(1, self._handshakes, _MINUTE, ticks_ms()):
                raise HTTPError(429, "too many requests (limits.handshakes)", "Retry-After: 60")

    def sweep(self, clients, server) -> None:
        """Count what clients have sent since the last time, and close those over the limit.

        The server logs them. It is passed, since a bound method would allocate memory.
        """
        now = ticks_ms()
        self._sweeps = (self._sweeps + 1) % _SWEEPS
        if not self._sweeps:
            self._forget(now)
        for client in clients:
            if client._route.reserved:
                continue  # an admin, whose update is a flood of messages
            received = client._messages
            if client._decoder:
                received += client._decoder.frames
            messages = received - client._counted_messages
            size = (client._bytes - client._counted_bytes) & 0x3FFFFFFF
            if size:
                client._counted_messages = received
                client._counted_bytes = client._bytes
                if not self._allows(client, messages, size, now) and client._state == _OPEN:
                    client._fail(_POLICY_VIOLATION, "too many messages or bytes")
                    text = "too many messages or bytes (limits.messages, limits.bytes): closed"
                    server._log_refusal(client._address[0], text)

    def _forget(self, now):
        """Forget idle addresses: ticks can be compared over six days only."""
        addresses = self._addresses
        for ip in addresses:  # without a list, which would allocate memory
            if addresses[ip].age(now) >= _MAX_IDLE:
                del addresses[ip]
                return  # the others follow in the next sweeps

    def _allows(self, client, messages, size, now):
        address = self._address(client._address[0])
        allowed = True
        if self._messages is not None:
            allowed = address.messages.take(messages, self._messages, _SECOND, now)
        if self._bytes is not None:
            allowed = address.bytes.take(size, self._bytes, _SECOND, now) and allowed
        return allowed

    def _address(self, ip):
        addresses = self._addresses
        ip = _network(ip)
        if ip not in addresses:
            if len(addresses) >= _MAX_ADDRESSES:
                _evict(addresses)
            addresses[ip] = _Address()
        return addresses[ip]


def _network(ip):
    """Return the key that is counted: an IPv4 address, or an IPv6 network."""
    # The Unix port of MicroPython reports addresses as packed bytes, and `ip` is one of these.
    return load(".ipv6").network(ip) if isinstance(ip, str) and ":" in ip else ip


def _evict(addresses):
    # Not in _address(), where the closure would allocate memory at each call.
    now = ticks_ms()
    addresses.pop(max(addresses, key=lambda ip: addresses[ip].age(now)))


class _Address:
    def __init__(self):
        self.handshakes = _Bucket(1)
        self.messages = _Bucket(_BURST)
        self.bytes = _Bucket(_BURST)

    def age(self, now):
        """Return the ms since the address was last used."""
        return min(
            ticks_diff(now, self.handshakes.updated),
            ticks_diff(now, self.messages.updated),
            ticks_diff(now, self.bytes.updated),
        )


class _Bucket:
    """A leaky bucket, without floats, which would allocate memory.

    One item raises the level by `period`, and in each ms the level falls by the rate, which is in
    items per `period` ms. The bucket holds the items of `burst` periods.
    """

    def __init__(self, burst):
        self.level = 0
        self.burst = burst
        self.updated = ticks_ms()

    def take(self, count, rate, period, now):
        """Add `count` items; return whether they fit."""
        window = self.burst * period  # ms in which a full bucket drains
        elapsed = min(ticks_diff(now, self.updated), 2 * window)
        self.updated = now
        self.level = max(0, self.level - rate * elapsed) + count * period
        fits = self.level <= rate * window
        self.level = min(self.level, 2 * rate * window)  # bounds the time until it is empty
        return fits
