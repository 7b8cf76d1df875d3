"""The application that main.py serves: /ws echoes, and is sent the periodic broadcast."""

from broadcast import Broadcast


class Echo:
    """The chapter's first example: every message goes back to where it came from."""

    def on_message(self, client, message):
        client.send(message)


def build(server, settings: dict, https=None) -> None:
    """Put the demo onto a server. https: a port to which requests for the page are sent on."""
    origins = (None, "self") + tuple(settings["access"]["origins"])
    server.websocket("/ws", Echo(), origins=origins)
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
    server.files("/", "/www", https)
