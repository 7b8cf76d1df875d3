"""What the gateway knows about boards and their viewers. No state outlives the process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, broadcast

from . import topics

TRY_AGAIN_LATER = 1013
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
    has something to say to a new client.
    """

    id: str
    board: str
    endpoint: str
    connection: ServerConnection
    bucket: Bucket
    groups: set[str] = field(default_factory=set)
    number: int = 0
    is_greeted: bool = False


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

    def _slow(self, connection):
        self._counts["messages_dropped"] += 1
        if self._policy == "close":
            self._counts["viewers_closed_slow"] += 1
            connection.transport.abort()  # a Close frame would wait behind the rest
