"""Clients behind a gateway. Loaded while there are any.

Server.remote_clients has those that have sent messages lately, the latest last: the one silent
longest is evicted for another.
"""

from micropython import const

from wsserver import ERROR, INFO, lazy
from wsserver.core.frames import validate_utf8
from wsserver.log import escape, traceback

from .bridge import level

_GOING_AWAY = const(1001)
_INTERNAL_ERROR = const(1011)
_TRY_AGAIN_LATER = const(1013)


def _path_of(text: str) -> str:
    """Return the path for the level of a topic: the reverse of level(). "" if it is malformed."""
    parts = text.split("_")
    try:
        out = bytearray(b"/" + parts[0].encode())
        for part in parts[1:]:
            out.append(int(part[:2], 16))
            out.extend(part[2:].encode())
        return str(out, "utf-8")
    except ValueError:
        return ""


class RemoteClient:
    """A viewer that has sent a message, with the interface of wsserver.Client.

    address: ("GATEWAY/VIEWER", 0). What a gateway does not tell has the value of its default.
    """

    context = subprotocol = params = stream = None
    query = ""
    secure = text = False
    buffered = bytes = 0
    is_open = True

    def __init__(self, bridge, id: int, key: str, path: str, route):
        self._bridge = bridge
        self.server = bridge.server
        self._where = "to/%s/%s" % (key, level(path))
        self._route = route
        self._key = key
        self._number = -1  # of the latest message
        self.id = id
        self.path = path
        self.address = (key, 0)
        self.messages = 0

    def send(self, message) -> bool:
        """Send a message to this viewer alone. Return whether the queue has space for it."""
        return self.is_open and self._bridge.send(self._where, message)

    def ping(self, data=b"") -> bool:
        """Return whether the client is open: the gateway finds out whether its viewer is."""
        return self.is_open

    pong = ping

    def send_stream(self, source, text: bool = False):
        """Send one message of any length in parts, which the gateway collects."""
        return lazy.load("fleet.streams").Stream(self, source, text)

    def has_space(self, count: int) -> bool:
        """Return whether less than `count` messages wait for the broker."""
        return len(self._bridge.queue) < count

    async def drain(self) -> None:
        """Return at once: the queue of the connection to the broker is shared by all."""

    def join(self, group: str) -> None:
        """Add this viewer to a group. The gateway keeps the membership."""
        self.order("join", group.encode())

    def leave(self, group: str) -> None:
        """Remove this viewer from a group."""
        self.order("leave", group.encode())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Have the gateway close the connection; on_close follows."""
        if self.is_open:
            self.order("close", ("%d %s" % (code, reason)).encode())
            _remove(self, code, reason)

    def order(self, kind: str, payload) -> bool:
        """Publish something else than a message: the kinds of docs/fleet.md."""
        bridge = self._bridge
        return bridge.publish("%s%s/%s" % (bridge.prefix, self._where, kind), payload)

    def _call(self, name, *args):
        """Call the endpoint's on_`name`. An error closes this client only."""
        callback = getattr(self._route, name)
        try:
            result = callback(self, *args) if callback else None
            if hasattr(result, "throw"):  # of an async function
                coroutines = lazy.load("wsserver.coroutines")
                coroutines.start(self.server, result, self._done)
        except Exception as error:
            self._done(None, error)

    def _done(self, result, error):
        if error:
            self.server.log(ERROR, traceback(error))
            self.close(_INTERNAL_ERROR, "internal error")


def deliver(bridge, levels: list, payload) -> None:
    """Process a message. levels: gateway, viewer, endpoint, kind and, optionally, a number.

    Messages with a number that is not greater than the one before are repetitions: QoS 1 allows
    them, and bridges between brokers can form loops.
    """
    if levels[0] == "panel":
        lazy.call("fleet.discovery", "command", bridge, levels, payload)
        return
    if not 4 <= len(levels) <= 5:
        return
    key = levels[0] + "/" + levels[1]
    kind = levels[3]
    clients = bridge.server.remote_clients
    for client in clients:
        if client._key == key and client._where.endswith("/" + levels[2]):
            break
    else:
        client = kind in ("open", "text", "binary") and _open(bridge, key, levels[2])
        if not client:
            return
        clients = bridge.server.remote_clients
    if len(levels) > 4:
        if not levels[4].isdigit() or int(levels[4]) <= client._number:
            return
        client._number = int(levels[4])
    if kind == "close":
        _remove(client, _GOING_AWAY, "")
        return
    if client in clients:  # on_open may have closed it
        clients.remove(client)
        clients.append(client)
    if client.is_open and kind in ("text", "binary"):
        _deliver(client, kind == "text", payload)


def _deliver(client, is_text, payload):
    client.messages += 1
    route = client._route
    if is_text and validate_utf8(payload, 0, len(payload), 0, 0):
        client.close(1007, "text is not UTF-8")
    elif route.message:
        client._call("message", str(payload, "utf-8") if is_text else bytes(payload))
    elif route.chunk:
        client.text = is_text
        client._call("chunk", payload, True)


def _open(bridge, key, endpoint):
    """Return a new client at an endpoint, after on_open; None if there is no such endpoint."""
    server = bridge.server
    params = None
    for path in server.routes:
        if level(path) == endpoint:
            route = server.routes[path]
            break
    else:
        path = _path_of(endpoint)
        route, params = lazy.call("wsserver.http.patterns", "resolve", server, path)
    if not bridge.admits(path):
        return None
    if not server.remote_clients:
        server.remote_clients = []
    clients = server.remote_clients
    if len(clients) >= bridge.settings["max_senders"]:
        _remove(clients[0], _TRY_AGAIN_LATER, "evicted for another sender")
    server.last_id += 1
    client = RemoteClient(bridge, server.last_id, key, path, route)
    client.params = params
    clients.append(client)
    server.log(INFO, "fleet: %s sends to %s" % (escape(key), escape(path)))
    client._call("open")
    return client


def _remove(client, code, reason):
    """Forget a client, after on_close()."""
    client.is_open = False
    clients = client.server.remote_clients
    if client in clients:
        clients.remove(client)
        client._call("close", code, reason)
