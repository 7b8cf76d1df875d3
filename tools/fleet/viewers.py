"""What the gateway knows about boards and their viewers. No state outlives the process."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from . import topics

TRY_AGAIN_LATER = 1013
_INTERNAL_ERROR = 1011
_FRAGMENT = 16384  # bytes
_GREETINGS = 10.0  # viewers a second whose arrival a board hears of


class Bucket:
    """A rate limit: `rate` a second, with bursts of twice as many."""

    def __init__(self, rate: float):
        self._rate = rate
        self._left = 2 * rate
        self._time = time.monotonic()

    def take(self) -> bool:
        """Count one message; return whether it is within the limit."""
        now = time.monotonic()
        self._left = min(2 * self._rate, self._left + (now - self._time) * self._rate)
        self._time = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(eq=False)
class Viewer:
    """A WebSocket connection to an endpoint of a board.

    number: of the latest message; the board ignores repetitions. is_greeted: whether the endpoint
    has something to say to a new client. parts: of a message that the board streams to it.
    """

    id: str
    board: str
    endpoint: str
    connection: ServerConnection
    bucket: Bucket
    groups: set[str] = field(default_factory=set)
    number: int = 0
    is_greeted: bool = False
    parts: bytearray = field(default_factory=bytearray)


@dataclass(eq=False)
class Board:
    """The latest presence and state of a board, and its viewers at this gateway.

    latest: the retained broadcasts, by topic. greetings: limits announcements of viewers. lost:
    time of the monotonic clock since which it is not online.
    """

    name: str
    online: bool = False
    state: dict = field(default_factory=dict)
    viewers: dict[str, Viewer] = field(default_factory=dict)
    latest: dict[tuple[str, str], bytes] = field(default_factory=dict)
    greetings: Bucket = field(default_factory=lambda: Bucket(_GREETINGS))
    lost: float = 0.0

    @property
    def version(self) -> str:
        """Return the version of its firmware, which selects the pages."""
        return str(self.state.get("version", ""))

    @property
    def endpoints(self) -> dict[str, str]:
        """Return its endpoints: "o" for one that greets new clients, "t" if it needs a token."""
        found = self.state.get("endpoints")
        return found if isinstance(found, dict) else {}

    def endpoint_at(self, path: str) -> str | None:
        """Return the endpoint for the path of a request, or None.

        That is the path itself, or one with parameters such as "/rooms/<name>".
        """
        if path in self.endpoints and "<" not in path:
            return path
        found = (one for one in self.endpoints if "<" in one and topics.matches(one, path))
        return next(found, None)

    def at(self, endpoint: str, group: str | None = None) -> list[Viewer]:
        """Return the viewers of an endpoint, or of all, and of a group if there is one."""
        return [
            viewer
            for viewer in self.viewers.values()
            if endpoint in (viewer.endpoint, topics.ALL)
            and (group is None or group in viewer.groups)
        ]


class Sender:
    """Send messages to viewers, with a bound for the data that waits for each.

    limit: bytes that may wait. policy: "close" a viewer that is too slow, or "drop" its messages.
    """

    def __init__(self, limit: int, policy: str, counts: Counter[str]):
        self._limit = limit
        self._policy = policy
        self._counts = counts

    def send(self, viewers: Iterable[Viewer], kind: str, payload: bytes) -> None:
        """Send one message to several viewers. kind: "text" or "binary"."""
        ready = []
        for viewer in viewers:
            connection = viewer.connection
            if connection.transport.get_write_buffer_size() <= self._limit:
                ready.append(connection)
            else:
                self._slow(connection)
        broadcast(ready, payload, text=kind == "text")
        self._counts["messages_to_viewers"] += len(ready)

    async def stream(self, viewer: Viewer, kind: str) -> None:
        """Send the collected parts to a viewer as one message, in fragments that it paces."""
        data, viewer.parts = bytes(viewer.parts), bytearray()
        pieces = [data[at : at + _FRAGMENT] for at in range(0, len(data), _FRAGMENT)] or [b""]
        with contextlib.suppress(ConnectionClosed):
            if kind == "text" and not _is_text(data):
                await viewer.connection.close(_INTERNAL_ERROR, "text is not UTF-8")
            await viewer.connection.send(_each(pieces), text=kind == "text")
            self._counts["messages_to_viewers"] += 1

    def _slow(self, connection):
        self._counts["messages_dropped"] += 1
        if self._policy == "close":
            self._counts["viewers_closed_slow"] += 1
            connection.transport.abort()  # a Close frame would wait behind the rest


def _is_text(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


async def _each(pieces):
    """Yield pieces: websockets sends those of an async iterator while the viewer takes them."""
    for piece in pieces:
        yield piece
