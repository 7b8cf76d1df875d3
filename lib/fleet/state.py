"""Publish the state of a board. Loaded while that takes place."""

import gc
import json
from time import time

from wsserver import __version__, lazy


def begin(bridge) -> None:
    """Publish all that is retained, on a new connection."""
    report(bridge)
    bridge.announce(bridge.root + "presence", b"online")
    if bridge.panel:
        lazy.call("fleet.discovery", "announce", bridge)


def report(bridge) -> None:
    """Publish the state. Gateways take the pages, the endpoints and the limits from it.

    Of each endpoint: "o" if it has on_open, so that a new viewer is announced, and "t" if it needs
    a token.
    """
    server = bridge.server
    endpoints = {}
    for path, route in server.routes.items():
        if bridge.is_mapped(path):
            endpoints[path] = ("o" if route.open else "") + ("t" if route.access else "")
    state = {
        "version": __version__,
        "time": time(),
        "endpoints": endpoints,
        "max_size": server.max_size,
        "retain": bridge.options["retain"],
        "clients": len(server.clients),
        "senders": len(bridge.senders.table) if bridge.senders else 0,
        "dropped": bridge.dropped,
        "heap": gc.mem_alloc(),
    }
    bridge.announce(bridge.root + "state", json.dumps(state).encode())
    if bridge.panel and bridge.panel.session:
        lazy.call("fleet.discovery", "publish_values", bridge)
