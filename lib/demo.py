"""The application that main.py serves: /ws echoes, and is sent the periodic broadcast; /demo is
what the page talks to (`chat`), whose code is loaded while somebody is there.
"""

from time import ticks_add, ticks_diff, ticks_ms

from broadcast import Broadcast

_seconds = 0
_since = ticks_ms()


class Echo:
    """The chapter's first example: every message goes back to where it came from."""

    def on_message(self, client, message):
        client.send(message)


def uptime() -> int:
    """Seconds since the start: ticks_ms begins again after twelve days. To be called at least
    every six.
    """
    global _seconds, _since
    passed = ticks_diff(ticks_ms(), _since) // 1000
    _seconds += passed
    _since = ticks_add(_since, 1000 * passed)
    return _seconds


def build(server, settings: dict, https=None) -> None:
    """Put the demo onto a server. https: a port to which requests for the page are sent on."""
    origins = (None, "self") + tuple(settings["access"]["origins"])
    server.websocket("/ws", Echo(), origins=origins)
    if settings["demo"]["enabled"]:
        from ondemand import OnDemand

        chat = OnDemand(server, "chat", "/demo", settings["demo"])
        server.websocket("/demo", chat, origins=origins)
        server.every(86400000, uptime)
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
    server.files("/", "/www", https)
