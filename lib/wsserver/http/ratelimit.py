"""Rate limits for each IP address."""

from time import ticks_diff, ticks_ms

from ..core.buffers import OPEN
from ..core.frames import const
from .request import HTTPError

_POLICY_VIOLATION = const(1008)
_MAX_ADDRESSES = const(16)  # that are remembered; the one idle longest is evicted
_MAX_IDLE = const(180000)  # ms after which an address is forgotten: all its levels are 0
_SWEEPS = const(16)  # between two looks for such addresses
_BURST = const(2)  # messages and bytes: bursts of so many seconds' worth


class Limits:
    """Limits for each IP address; None means no limit.

    connections: at the same time, WebSocket or not; further ones are closed at once. handshakes:
    HTTP requests of any kind, and TLS connections, per minute; further ones get 429, or are closed.
    messages, bytes: per second, from all clients of the address, with bursts of twice the rate; a
    client beyond it is closed with 1008. Control frames and fragments count as messages.
    """

    def __init__(self, connections=None, handshakes=None, messages=None, bytes=None):
        self._connections = connections
        self._handshakes = handshakes
        self._rates = (messages, bytes)
        self._addresses = {}  # IP -> _Address
        self._sweeps = 0

    def admits(self, ip: str, connections) -> bool:
        """Return whether `ip` may open one more connection; `connections` are those open."""
        if self._connections is None:
            return True
        count = 0
        for connection in connections:
            count += connection._address[0] == ip
        return count < self._connections

    def check_handshake(self, ip: str) -> None:
        """Count an HTTP request.

        Raises HTTPError 429 if there were too many.
        """
        if self._handshakes is not None:
            bucket = self._address(ip).handshakes
            if not bucket.take(1, self._handshakes / 60000, self._handshakes, ticks_ms()):
                raise HTTPError(429, "too many requests (limits.handshakes)", "Retry-After: 60")

    def sweep(self, clients, log_refusal) -> None:
        """Count what clients have sent since the last time, and close those over the limit.

        log_refusal(ip, reason) is called for each of them.
        """
        now = ticks_ms()
        self._sweeps = (self._sweeps + 1) % _SWEEPS
        if not self._sweeps:
            self._forget(now)
        for client in clients:
            received = client._messages
            if client._decoder:
                received += client._decoder.frames
            messages = received - client._counted_messages
            size = (client._bytes - client._counted_bytes) & 0x3FFFFFFF
            if size:
                client._counted_messages = received
                client._counted_bytes = client._bytes
                if not self._allows(client, (messages, size), now) and client._state == OPEN:
                    client._fail(_POLICY_VIOLATION, "too many messages or bytes")
                    text = "too many messages or bytes (limits.messages, limits.bytes): closed"
                    log_refusal(client._address[0], text)

    def _forget(self, now):
        """Forget idle addresses: ticks can be compared over six days only."""
        addresses = self._addresses
        for ip in list(addresses):
            if addresses[ip].age(now) >= _MAX_IDLE:
                del addresses[ip]

    def _allows(self, client, counts, now):
        buckets = self._address(client._address[0]).rates
        allowed = True
        for bucket, rate, count in zip(buckets, self._rates, counts):
            if rate is not None:
                allowed &= bucket.take(count, rate / 1000, _BURST * rate, now)
        return allowed

    def _address(self, ip):
        addresses = self._addresses
        if ip not in addresses:
            if len(addresses) >= _MAX_ADDRESSES:
                now = ticks_ms()
                addresses.pop(max(addresses, key=lambda ip: addresses[ip].age(now)))
            addresses[ip] = _Address()
        return addresses[ip]


class _Address:
    def __init__(self):
        self.handshakes = _Bucket()
        self.rates = (_Bucket(), _Bucket())

    def age(self, now):
        """Return the ms since the address was last used."""
        buckets = (self.handshakes,) + self.rates
        return min(ticks_diff(now, bucket.updated) for bucket in buckets)


class _Bucket:
    """A leaky bucket: `level` falls at the allowed rate."""

    def __init__(self):
        self.level = 0
        self.updated = ticks_ms()

    def take(self, count, rate, limit, now):
        """Add `count`; return whether the level is still at most `limit`. rate: per ms."""
        self.level = max(0, self.level - rate * ticks_diff(now, self.updated))
        self.updated = now
        self.level = min(self.level + count, 2 * limit)  # bounds the time until it is empty again
        return self.level <= limit
