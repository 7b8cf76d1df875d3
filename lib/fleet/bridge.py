"""Map a server's endpoints to the topics of docs/fleet.md, in both directions."""

from wsserver import lazy
from wsserver.core.frames import payload_of

from .mqtt import MQTTClient


def level(path: str) -> str:
    """Return a level of a topic for a path or the name of a group.

    Every byte but A-Z, a-z, 0-9 and "-" becomes "_" and two hex digits. The first "/" is left out.
    """
    if path == "/":
        return "_root"
    out = bytearray()
    for byte in path.encode():  # bytes, because MicroPython interns the characters of a str
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 45:
            out.append(byte)
        elif out or byte != 47:
            out += b"_%02x" % byte
    return str(out, "utf-8")


class Bridge(MQTTClient):
    """Publish broadcasts and replies of a server, and pass the messages of viewers to it.

    senders: the Senders of fleet.remote, once a viewer has sent a message. panel: the board's if
    its widgets are published, or None.
    """

    senders: Anything = None
    panel: Anything = None

    def __init__(self, board):
        # The board is not kept: it has all settings, several KB.
        options = board.settings["fleet"]
        super().__init__(board.server, options, "%s/v1/%s/" % (options["prefix"], board.name))
        if options["discovery"] and "panel" in lazy.loaded():
            self.panel = board.panel
        board.server._relay = self._relay
        board.server.every(int(options["interval"] * 1000), self._report)

    def is_mapped(self, path: str) -> bool:
        """Return whether viewers may use this endpoint: not the admin's, which are reserved."""
        route = self.server.routes.get(path)
        return hasattr(route, "reserved") and not route.reserved

    def _report(self):
        if self.connected:
            lazy.call("fleet.state", "report", self)

    def _on_connect(self):  # type: ignore[override]
        lazy.call("fleet.state", "begin", self)

    def _relay(self, message, path=None, group=None):
        """Publish a broadcast once. The server calls this after it has sent it to its clients."""
        if path is None or self.is_mapped(path):
            where = level(path) if path else "_all"
            if group is None:
                self.send("all/" + where, message, self.options["retain"])
            else:
                self.send("group/%s/%s" % (where, level(group)), message)
        if self.panel and path == "/panel" and message.find('"values": {"') > 0:  # a change
            lazy.call("fleet.discovery", "publish_values", self)

    def send(self, where: str, message, retain: bool = False) -> bool:
        """Publish a message to viewers; its type is the last level of the topic.

        Return whether the queue has room for it. Raises TypeError or ValueError as client.send().
        """
        kind = "text" if isinstance(message, str) else "binary"
        payload = payload_of(message, "send() takes")
        try:
            return self.publish("%s%s/%s" % (self.root, where, kind), payload, retain)
        except MemoryError:  # local clients must not suffer
            self.dropped += 1
            return False

    def _on_message(self, topic, payload, retained):  # type: ignore[override]
        """Process a message of a viewer: ROOT/in/GATEWAY/VIEWER/ENDPOINT/KIND[/NUMBER]."""
        root = self.root
        if topic == root + "presence":
            if payload == b"offline":  # the will of an earlier connection
                self.announce(topic, b"online")
        elif not topic.startswith(root + "in/"):
            raise ValueError("a message that was not subscribed to")
        elif not retained:  # an old one, which would be repeated with each connection
            if not self.senders:
                self.senders = lazy.load("fleet.remote").Senders(self)
            self.senders.receive(topic[len(root) + 3 :].split("/"), payload)
