"""The gateway's connections to the engine: aiomqtt, with failover, backoff and jitter."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import aiomqtt

log = logging.getLogger("fleet")
_quiet = logging.getLogger("fleet.aiomqtt")  # it warns of more than ten calls at a time
_quiet.setLevel(logging.ERROR)
_FIRST_DELAY = 0.25  # s
_LONGEST_DELAY = 5.0
_STABLE = 10.0  # s after which a connection ends the backoff
_TIMEOUT = 5.0  # s for each answer of the engine
# With several nodes, one that waits for a leader does not answer: ask it again soon, because NATS
# forgets what it was asked before. A little more than its js_api_timeout, after which it hangs up.
_TIMEOUT_NODE = 1.2
_QUICK_TRIES = 12  # before these times grow: about as long as NATS elects leaders
_TIMEOUT_BYE = 0.1  # of an engine that has not answered to CONNECT
_REFUSED = (134, 135)  # codes for a wrong password, and a client that is not authorized
_TIMEOUT_BUSY = 60.0  # of a change of the subscriptions; until then the keepalive decides
_AT_ONCE = 100  # topics in a SUBSCRIBE


@dataclass(frozen=True)
class Address:
    """How to reach the engine.

    hosts: (host, port) of each node. ca: a file with the authority for TLS, "" for the system's,
    None for no TLS.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str = ""
    password: str = ""
    ca: str | None = None


def parse_hosts(text: str, port: int = 1883) -> tuple[tuple[str, int], ...]:
    """Return the (host, port) pairs of "a,b:1884". Raises ValueError if a port is not a number."""
    hosts = []
    for part in text.split(","):
        host, _, given = part.strip().partition(":")
        hosts.append((host, int(given or port)))
    return tuple(hosts)


def _parts(names: list[str]) -> Iterator[list[str]]:
    """Yield the names in parts, one for each packet."""
    for first in range(0, len(names), _AT_ONCE):
        yield names[first : first + _AT_ONCE]


class Broker:
    """Keep a connection to each node of the engine, and the subscriptions on one of them.

    The others stand by. That a client is connected also makes a node of NATS prepare what MQTT
    needs from the cluster: a node without it cannot do so while leaders are elected, and boards
    could not move to it.

    receive(topic, payload, retained): called for each message, in order.
    """

    def __init__(self, address: Address, name: str, receive: Callable[[str, bytes, bool], None]):
        self._address = address
        self._name = name
        self._receive = receive
        self._client: aiomqtt.Client | None = None
        self._turn = asyncio.Lock()  # of the connection that has the subscriptions
        self._attempts = itertools.count(1)
        self._topics: set[str] = set()
        self._changes: deque[tuple[bool, list[str]]] = deque()  # (whether to subscribe, topics)
        self._changed = asyncio.Event()
        self.reconnects = 0
        self.lost = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Return whether the engine has accepted the connection and the subscriptions."""
        return self._client is not None

    async def run(self) -> None:
        """Connect, and connect again, until this is cancelled."""
        await asyncio.gather(*(self._keep(host, port) for host, port in self._address.hosts))

    async def _keep(self, host, port):
        """Keep a connection to one node."""
        failures, reason = 0, ""
        quick = _QUICK_TRIES if len(self._address.hosts) > 1 else 1
        patience = _TIMEOUT_NODE if len(self._address.hosts) > 1 else _TIMEOUT
        timeout = patience
        while True:
            started = time.monotonic()
            try:
                await self._serve(host, port, timeout)
            except (aiomqtt.MqttError, OSError) as error:
                text = str(error)
                if getattr(getattr(error, "rc", None), "value", 0) in _REFUSED:
                    text = "wrong user or password (--user, FLEET_PASSWORD), or not authorized"
                    failures = 2 * quick  # it would be refused again
                if text != reason:
                    log.warning("engine %s:%d: %s", host, port, text)
                reason = text
            if time.monotonic() - started > _STABLE:
                failures, reason = 0, ""
            failures += 1
            growth = 2 ** max(0, min(failures, 2 * quick) - quick)
            delay = min(_FIRST_DELAY * growth, _LONGEST_DELAY)
            timeout = min(patience * growth, _TIMEOUT)
            await asyncio.sleep(delay * random.uniform(0.5, 1))

    async def _serve(self, host, port, timeout):
        """Connect to a node and use the connection until it is lost."""
        address = self._address
        context = None
        if address.ca is not None:
            context = ssl.create_default_context(cafile=address.ca or None)
        client = aiomqtt.Client(
            host,
            port,
            username=address.user or None,
            password=address.password or None,
            # NATS refuses the id of an attempt that still waits for the election of a leader.
            identifier=f"{self._name}-{next(self._attempts)}",
            tls_context=context,
            keepalive=15,
            logger=_quiet,
            timeout=timeout,
        )
        async with contextlib.AsyncExitStack() as stack:
            # Before it has connected: an engine that answers too late must not keep the session.
            stack.push_async_exit(client)
            try:
                await client.__aenter__()
            except aiomqtt.MqttError:
                client.timeout = _TIMEOUT_BYE
                raise
            works = [
                asyncio.create_task(work)
                for work in (self._read(client), self._lead(client, f"{host}:{port}", timeout))
            ]
            try:
                done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
                done.pop().result()
            finally:
                for work in works:
                    work.cancel()
                await asyncio.gather(*works, return_exceptions=True)

    async def _read(self, client):
        """Process messages. Raises MqttError when the connection is lost."""
        async for message in client.messages:
            payload = message.payload
            if isinstance(payload, (bytes, bytearray)):
                self._receive(str(message.topic), bytes(payload), message.retain)

    async def _lead(self, client, where, timeout):
        """Wait until no other connection has the subscriptions, then have them until cancelled."""
        if self._turn.locked():
            log.info("engine %s: standing by", where)
        async with self._turn:
            made: set[str] = set()
            while not made.issuperset(self._topics):  # viewers come meanwhile
                for part in _parts(sorted(self._topics - made)):
                    wanted = [(name, 0) for name in part]
                    await client.subscribe(wanted, timeout=min(2 * timeout, _TIMEOUT))
                    made.update(part)
            self._client = client
            self._changes.clear()
            self._change(False, sorted(made - self._topics))
            self.reconnects += 1
            log.info("engine %s: connected", where)
            try:
                await self._follow(client)
            finally:
                self._client = None
                self.lost = time.monotonic()

    def subscribe(self, *names: str) -> None:
        """Subscribe to topics, now and after each reconnection."""
        self._topics.update(names)
        self._change(True, names)

    def unsubscribe(self, *names: str) -> None:
        """End subscriptions."""
        self._topics.difference_update(names)
        self._change(False, names)

    def _change(self, is_wanted, names):
        """Queue a change. Many viewers that come at once need few packets: NATS stores each."""
        if not self._client:
            return
        if self._changes and self._changes[-1][0] == is_wanted:
            self._changes[-1][1].extend(names)
        else:
            self._changes.append((is_wanted, list(names)))
        self._changed.set()

    async def _follow(self, client):
        """Make the queued changes in their order, until cancelled. Raises MqttError."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._changes:
                is_wanted, names = self._changes.popleft()
                for part in _parts(names):
                    if is_wanted:
                        await client.subscribe([(name, 0) for name in part], timeout=_TIMEOUT_BUSY)
                    else:
                        await client.unsubscribe(part, timeout=_TIMEOUT_BUSY)

    async def publish(self, topic: str, payload: bytes) -> bool:
        """Publish with QoS 1. Return whether the engine has acknowledged it."""
        if not self._client:
            return False
        try:
            await self._client.publish(topic, payload, qos=1, timeout=10)
            return True
        except aiomqtt.MqttError:
            return False
