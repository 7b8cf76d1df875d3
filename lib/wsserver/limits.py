"""How much one address may do. Loaded by those who use it."""

from time import ticks_diff, ticks_ms

from .frames import const
from .handshake import HTTPError
from .log import WARNING

_POLICY_VIOLATION = const(1008)
_MOST = const(16)  # addresses that are remembered; the one silent longest goes
_TELL = const(10000)  # ms between two lines about what was refused
_BURST = const(2)  # seconds' worth of messages and bytes that may come at once


class Limits:
    """Limits for each IP address; None is no limit.

    connections: those at the same time, WebSocket or not; the next is closed at once. handshakes:
    HTTP requests in a minute, of whatever kind; the next gets 429. messages, bytes: in a second,
    over all clients of the address, twice as many at once; beyond it the one that sends is closed
    with 1008.
    """

    def __init__(self, connections=None, handshakes=None, messages=None, bytes=None):
        self._connections = connections
        self._handshakes = handshakes
        self._rates = (messages, bytes)
        self._addresses = {}  # IP -> _Address
        self._refused = 0
        self._told = None  # when

    def admits(self, ip: str, connections) -> bool:
        """Whether `ip` may have one connection more than it has among these."""
        if self._connections is None:
            return True
        count = 0
        for connection in connections:
            count += connection.address[0] == ip
        self._refused += count >= self._connections
        return count < self._connections

    def check_handshake(self, ip: str) -> None:
        """Count an HTTP request. HTTPError: 429."""
        if self._handshakes is not None:
            bucket = self._address(ip).handshakes
            if not bucket.take(1, self._handshakes / 60000, self._handshakes, ticks_ms()):
                self._refused += 1
                raise HTTPError(429, "too many requests", "Retry-After: 60")

    def sweep(self, clients, log) -> None:
        """Look at what has come from the clients since the last time, and close those who send too
        much; log(level, text) gets a line about what was refused.
        """
        now = ticks_ms()
        for client in clients:
            messages = client.messages - client.counted_messages
            size = (client.bytes - client.counted_bytes) & 0x3FFFFFFF
            client.counted_messages = client.messages
            client.counted_bytes = client.bytes
            if size and not self._takes(client, (messages, size), now):
                self._refused += 1
                client.fail(_POLICY_VIOLATION, "too many messages or bytes")
        if self._refused and (self._told is None or ticks_diff(now, self._told) >= _TELL):
            log(WARNING, "limits: refused %d connections, requests or clients" % self._refused)
            self._refused = 0
            self._told = now

    def _takes(self, client, counts, now):
        buckets = self._address(client.address[0]).rates
        taken = True
        for bucket, rate, count in zip(buckets, self._rates, counts):
            if rate is not None:
                taken &= bucket.take(count, rate / 1000, _BURST * rate, now)
        return taken

    def _address(self, ip):
        addresses = self._addresses
        if ip not in addresses:
            if len(addresses) >= _MOST:
                now = ticks_ms()
                addresses.pop(max(addresses, key=lambda ip: addresses[ip].age(now)))
            addresses[ip] = _Address()
        return addresses[ip]


class _Address:
    def __init__(self):
        self.handshakes = _Bucket()
        self.rates = (_Bucket(), _Bucket())

    def age(self, now):
        """ms since it was heard of."""
        buckets = (self.handshakes,) + self.rates
        return min(ticks_diff(now, bucket.when) for bucket in buckets)


class _Bucket:
    """A token bucket: `used` drains at the rate that is allowed."""

    def __init__(self):
        self.used = 0
        self.when = ticks_ms()

    def take(self, count, rate, most, now):
        """Whether `count` more fit below `most`; `rate` per ms become free again."""
        self.used = max(0, self.used - rate * ticks_diff(now, self.when))
        self.when = now
        self.used = min(self.used + count, 2 * most)  # the longest wait is as long as it took
        return self.used <= most
