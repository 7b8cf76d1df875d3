"""Clients behind a gateway. Loaded with the first message of one."""

from wsserver import ERROR, INFO, lazy
from wsserver.core.frames import validate_utf8
from wsserver.log import escape, traceback

from .bridge import level

_FIRST_ID = 1 << 24  # far beyond the ids of local clients
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011
_TRY_AGAIN_LATER = 1013


class RemoteClient:
    """A viewer that has sent a message, with the interface of wsserver.Client.

    address: ("GATEWAY/VIEWER", 0). What a gateway does not tell has the value of its default.
    """

    context = subprotocol = None
    query = ""
    secure = text = False
    buffered = bytes = 0
    is_open = True

    def __init__(self, senders, id: int, key: str, path: str, route):
        self._senders = senders
        self._where = "to/%s/%s" % (key, level(path))
        self._route = route
        self._key = key
        self._number = -1  # of the latest message
        self.id = id
        self.path = path
        self.address = (key, 0)
        self.messages = 0

    def send(self, message) -> bool:
        """Send a message to this viewer alone. Return whether the queue has room for it."""
        return self.is_open and self._senders.bridge.send(self._where, message)

    def ping(self, data=b"") -> bool:
        """Return whether the client is open: the gateway finds out whether its viewer is."""
        return self.is_open

    pong = ping

    async def drain(self) -> None:
        """Return at once: the queue of the connection to the broker is shared by all."""

    def join(self, group: str) -> None:
        """Add this viewer to a group. The gateway keeps the membership."""
        self._order("join", group)

    def leave(self, group: str) -> None:
        """Remove this viewer from a group."""
        self._order("leave", group)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Have the gateway close the connection; on_close follows."""
        if self.is_open:
            self._order("close", "%d %s" % (code, reason))
            self._senders.remove(self, code, reason)

    def _order(self, kind, text):
        bridge = self._senders.bridge
        topic = "%s%s/%s" % (bridge.root, self._where, kind)
        bridge.publish(topic, text.encode())

    def _call(self, name, *args):
        """Call the endpoint's on_`name`. An error closes this client only."""
        callback = getattr(self._route, name)
        try:
            result = callback(self, *args) if callback else None
            if hasattr(result, "throw"):  # of an async function
                coroutines = lazy.load("wsserver.coroutines")
                coroutines.start(self._senders.server, result, self._done)
        except Exception as error:
            self._done(None, error)

    def _done(self, result, error):
        if error:
            self._senders.server.log(ERROR, traceback(error))
            self.close(_INTERNAL_ERROR, "internal error")


class Senders:
    """The viewers that have sent messages lately: the one silent longest is evicted for another.

    table: the clients, the latest last.
    """

    def __init__(self, bridge):
        self.server = bridge.server
        self.bridge = bridge
        self.table = []
        self._last_id = _FIRST_ID

    def receive(self, levels: list, payload) -> None:
        """Process a message. levels: gateway, viewer, endpoint, kind and, optionally, a number.

        Messages with a number that is not greater than the one before are repetitions: QoS 1
        allows them, and bridges between brokers can form loops.
        """
        if levels[0] == "panel":
            lazy.call("fleet.discovery", "command", self.bridge, levels, payload)
            return
        if not 4 <= len(levels) <= 5:
            return
        key = levels[0] + "/" + levels[1]
        kind = levels[3]
        client = self._find(key, levels[2])
        if not client and kind in ("open", "text", "binary"):
            client = self._open(key, levels[2])
        if not client:
            return
        if len(levels) > 4:
            if not levels[4].isdigit() or int(levels[4]) <= client._number:
                return
            client._number = int(levels[4])
        if kind == "close":
            self.remove(client, _GOING_AWAY, "")
            return
        self.table.remove(client)
        self.table.append(client)
        if client.is_open and kind in ("text", "binary"):
            self._deliver(client, kind == "text", payload)

    def remove(self, client, code: int, reason: str) -> None:
        """Forget a client, after on_close()."""
        client.is_open = False
        if client in self.table:
            self.table.remove(client)
            client._call("close", code, reason)

    def _deliver(self, client, is_text, payload):
        client.messages += 1
        route = client._route
        if is_text and validate_utf8(payload, 0, len(payload), 0, 0):
            client.close(1007, "text is not UTF-8")
        elif route.message:
            client._call("message", str(payload, "utf-8") if is_text else bytes(payload))
        elif route.chunk:
            client.text = is_text
            client._call("chunk", payload, True)

    def _find(self, key, endpoint):
        for client in self.table:
            if client._key == key and client._where.endswith("/" + endpoint):
                return client

    def _open(self, key, endpoint):
        server = self.server
        for path in server.routes:
            if level(path) == endpoint and self.bridge.is_mapped(path):
                break
        else:
            return None
        if len(self.table) >= self.bridge.options["max_senders"]:
            self.remove(self.table[0], _TRY_AGAIN_LATER, "evicted for another sender")
        self._last_id += 1
        client = RemoteClient(self, self._last_id, key, path, server.routes[path])
        self.table.append(client)
        server.log(INFO, "fleet: %s sends to %s" % (escape(key), escape(path)))
        client._call("open")
        return client
