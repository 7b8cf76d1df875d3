"""Rate limits for each IP address."""

from time import ticks_diff, ticks_ms

from ..core.frames import const
from ..log import WARNING
from .request import HTTPError

_POLICY_VIOLATION = const(1008)
_MAX_ADDRESSES = const(16)  # that are remembered; the one idle longest is evicted
_LOG_INTERVAL = const(10000)  # ms between two log lines
_BURST = const(2)  # messages and bytes: bursts of so many seconds' worth


class Limits:
    """Limits for each IP address; None means no limit.

    connections: at the same time, WebSocket or not; further ones are closed at once. handshakes:
    HTTP requests of any kind per minute; further ones get 429. messages, bytes: per second, from
    all clients of the address, with bursts of twice the rate; a client beyond it is closed with
    1008.
    """

    def __init__(self, connections=None, handshakes=None, messages=None, bytes=None):
        self._connections = connections
        self._handshakes = handshakes
        self._rates = (messages, bytes)
        self._addresses = {}  # IP -> _Address
        self._refused = 0
        self._logged = None  # ms

    def admits(self, ip: str, connections) -> bool:
        """Return whether `ip` may open one more connection; `connections` are those open."""
        if self._connections is None:
            return True
        count = 0
        for connection in connections:
            count += connection._address[0] == ip
        self._refused += count >= self._connections
        return count < self._connections

    def check_handshake(self, ip: str) -> None:
        """Count an HTTP request.

        Raises HTTPError 429 if there were too many.
        """
        if self._handshakes is not None:
            bucket = self._address(ip).handshakes
            if not bucket.take(1, self._handshakes / 60000, self._handshakes, ticks_ms()):
                self._refused += 1
                raise HTTPError(429, "too many requests", "Retry-After: 60")

    def sweep(self, clients, log) -> None:
        """Count what clients have sent since the last time, and close those over the limit.

        log(level, text) gets a line about what was refused.
        """
        now = ticks_ms()
        for client in clients:
            messages = client._messages - client._counted_messages
            size = (client._bytes - client._counted_bytes) & 0x3FFFFFFF
            if size:
                client._counted_messages = client._messages
                client._counted_bytes = client._bytes
                if not self._allows(client, (messages, size), now):
                    self._refused += 1
                    client._fail(_POLICY_VIOLATION, "too many messages or bytes")
        if self._refused and (
            self._logged is None or ticks_diff(now, self._logged) >= _LOG_INTERVAL
        ):
            log(WARNING, "limits: refused %d connections, requests or clients" % self._refused)
            self._refused = 0
            self._logged = now

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
