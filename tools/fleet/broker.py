"""The gateway's connection to the engine: aiomqtt, with failover, backoff and jitter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt

log = logging.getLogger("fleet")
_quiet = logging.getLogger("fleet.aiomqtt")  # it warns of more than ten calls at a time
_quiet.setLevel(logging.ERROR)
_FIRST_DELAY = 0.25  # s
_LONGEST_DELAY = 5.0
_STABLE = 10.0  # s after which a connection ends the backoff


@dataclass(frozen=True)
class Address:
    """How to reach the engine.

    hosts: (host, port), tried in turn. ca: a file with the authority for TLS, "" for the system's,
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


class Broker:
    """Keep a connection to the engine, and the subscriptions.

    receive(topic, payload, retained): called for each message, in order.
    """

    def __init__(self, address: Address, name: str, receive: Callable[[str, bytes, bool], None]):
        self._address = address
        self._name = name
        self._receive = receive
        self._client: aiomqtt.Client | None = None
        self._topics: set[str] = set()
        self._changes: set[asyncio.Task] = set()
        self.reconnects = 0
        self.lost = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Return whether the engine has accepted the connection."""
        return self._client is not None

    async def run(self) -> None:
        """Connect, and connect again, until this is cancelled."""
        delay, attempt, reason = 0.0, 0, ""
        while True:
            host, port = self._address.hosts[attempt % len(self._address.hosts)]
            attempt += 1
            started = time.monotonic()
            try:
                try:
                    await self._serve(host, port)
                finally:
                    was_connected, self._client = self._client is not None, None
            except (aiomqtt.MqttError, OSError) as error:
                if str(error) != reason:
                    log.warning("engine %s:%d: %s", host, port, error)
                reason = str(error)
            if was_connected:
                self.lost = time.monotonic()
                reason = ""
            if time.monotonic() - started > _STABLE:
                delay = 0
            delay = min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)
            await asyncio.sleep(delay * random.uniform(0.5, 1))

    async def _serve(self, host, port):
        address = self._address
        context = None
        if address.ca is not None:
            context = ssl.create_default_context(cafile=address.ca or None)
        async with aiomqtt.Client(
            host,
            port,
            username=address.user or None,
            password=address.password or None,
            identifier=self._name,
            tls_context=context,
            keepalive=15,
            logger=_quiet,
            timeout=5,
        ) as client:
            for topic in sorted(self._topics):
                await client.subscribe(topic, qos=0)
            self._client = client
            self.reconnects += 1
            log.info("engine %s:%d: connected", host, port)
            async for message in client.messages:
                payload = message.payload
                if isinstance(payload, (bytes, bytearray)):
                    self._receive(str(message.topic), bytes(payload), message.retain)

    def subscribe(self, *names: str) -> None:
        """Subscribe to topics, now and after each reconnection."""
        self._topics.update(names)
        self._change(lambda client: client.subscribe([(name, 0) for name in names]))

    def unsubscribe(self, *names: str) -> None:
        """End subscriptions."""
        self._topics.difference_update(names)
        self._change(lambda client: client.unsubscribe(list(names)))

    def _change(self, make):
        client = self._client
        if not client:
            return

        async def change():
            with contextlib.suppress(aiomqtt.MqttError):  # the reconnection will do it
                await make(client)

        task = asyncio.create_task(change())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def publish(self, topic: str, payload: bytes) -> bool:
        """Publish with QoS 1. Return whether the engine has acknowledged it."""
        if not self._client:
            return False
        try:
            await self._client.publish(topic, payload, qos=1, timeout=10)
            return True
        except aiomqtt.MqttError:
            return False
