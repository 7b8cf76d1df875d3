"""Map a server's endpoints to the topics of docs/fleet.md, in both directions."""

import gc
import json
from time import time

from micropython import const

from wsserver import __version__, lazy
from wsserver.core.frames import payload_of

from . import names
from .mqtt import MQTTClient

_VERSION = const("/v1/")


class Bridge:
    """Publish broadcasts and replies of a server, and pass the messages of viewers to it."""

    def __init__(self, board):
        # The board is not kept: it has all settings, several KB.
        self._panel = board.panel if "panel" in lazy.loaded() else None
        self._name = board.name
        self._server = server = board.server
        self._options = options = board.settings["fleet"]
        self.root = options["prefix"] + _VERSION + board.name + "/"
        self._senders: Anything = None  # made by the first message of a viewer
        self._started = time()
        client_id = options["prefix"].replace("/", "-") + "-" + board.name
        will = (self.root + "presence", b"offline")
        self.mqtt = MQTTClient(server, options, client_id, will, self._connected, self._receive)
        server._relay = self._relay
        server.every(int(options["interval"] * 1000), self._report)

    def is_mapped(self, path: str) -> bool:
        """Return whether viewers may use this endpoint: not the admin's, which are reserved."""
        route = self._server.routes.get(path)
        return hasattr(route, "reserved") and not route.reserved

    # --- to the broker

    def _connected(self):
        self.mqtt.subscribe(self.root + "in/#", self.root + "presence")
        self._report()
        self.mqtt.announce(self.root + "presence", b"online")
        if self._panel and self._options["discovery"]:
            lazy.call("fleet.discovery", "announce", self._panel, self._name, self.root, self.mqtt)

    def _report(self):
        """Publish the state. Gateways take the page, the endpoints and the limits from it."""
        if not self.mqtt.connected:
            return
        server = self._server
        endpoints = {}
        for path in server.routes:
            if self.is_mapped(path):
                endpoints[path] = bool(server.routes[path].access)
        state = {
            "version": __version__,
            "uptime": time() - self._started,
            "endpoints": endpoints,
            "max_size": server.max_size,
            "retain": self._options["retain"],
            "clients": len(server.clients),
            "senders": len(self._senders.table) if self._senders else 0,
            "dropped": self.mqtt.dropped,
            "heap": gc.mem_alloc(),
        }
        self.mqtt.announce(self.root + "state", json.dumps(state).encode())

    def _relay(self, message, path=None, group=None):
        """Publish a broadcast once. The server calls this after it has sent it to its clients."""
        if path is None:
            where = "_all"
        elif self.is_mapped(path):
            where = names.endpoint(path)
        else:
            return
        retain = False
        if group is None:
            where = "all/" + where
            retain = self._options["retain"]
        else:
            where = "group/%s/%s" % (where, names.level(group))
        self.send(where, message, retain)

    def send(self, where: str, message, retain: bool = False) -> bool:
        """Publish a message to viewers; its type is the last level of the topic.

        Return whether the queue has room for it. Raises TypeError or ValueError as client.send().
        """
        kind = "text" if isinstance(message, str) else "binary"
        payload = payload_of(message, "send() takes")
        return self.mqtt.publish("%s%s/%s" % (self.root, where, kind), payload, retain)

    # --- from the broker

    def _receive(self, topic, payload, retained):
        """Process a message of a viewer: ROOT/in/GATEWAY/VIEWER/ENDPOINT/KIND[/NUMBER].

        Raises ValueError if this board has not subscribed to the topic.
        """
        root = self.root
        if topic == root + "presence":
            if payload == b"offline":  # the will of an earlier connection
                self.mqtt.announce(topic, b"online")
        elif not topic.startswith(root + "in/"):
            raise ValueError("a message that was not subscribed to")
        elif not retained:  # an old one, which would be repeated with each connection
            levels = topic[len(root) + 3 :].split("/")
            if levels[0] == "panel":
                lazy.call("fleet.discovery", "command", self._panel, levels, payload)
            elif len(levels) in (4, 5):
                if not self._senders:
                    self._senders = lazy.load("fleet.remote").Senders(
                        self._server, self, self._options["max_senders"]
                    )
                self._senders.receive(levels, payload)
