"""Publish the state of a board. Loaded while that takes place."""

import gc
import json
from time import time

from wsserver import __version__, lazy


def start(bridge) -> None:
    """Publish all that is retained, on a new connection."""
    report(bridge)
    if bridge.panel:
        lazy.call("fleet.discovery", "announce", bridge)


def report(bridge) -> None:
    """Publish the state. Gateways take the pages, the endpoints and the limits from it.

    Of each endpoint: "o" if it has on_open, so that a new viewer is announced, and "t" if it needs
    a token. The presence is repeated: a NATS without a leader may have lost it.
    """
    server = bridge.server
    endpoints = {}
    routes = list(server.routes.items())
    routes.extend([(matcher.path, route) for matcher, route in server.patterns or ()])
    for path, route in routes:
        if hasattr(route, "reserved") and not route.reserved:
            endpoints[path] = ("o" if route.open else "") + ("t" if route.access else "")
    state = {
        "version": __version__,
        "time": time(),
        "endpoints": endpoints,
        "max_size": server.max_size,
        "retain": bridge.settings["retain"],
        "clients": len(server.clients),
        "senders": len(server.remote_clients),
        "dropped": bridge.dropped,
        "heap": gc.mem_alloc(),
    }
    bridge.announce(bridge.prefix + "state", json.dumps(state).encode())
    bridge.announce(bridge.prefix + "presence", b"online")
    if bridge.panel and bridge.panel.session:
        lazy.call("fleet.discovery", "publish_values", bridge)
