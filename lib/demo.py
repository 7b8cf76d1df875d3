"""The application that main.py serves: /ws echoes, and is sent the periodic broadcast."""

from broadcast import Broadcast


class Echo:
    """The chapter's first example: every message goes back to where it came from."""

    def on_message(self, client, message):
        client.send(message)


def build(server, settings: dict) -> None:
    """Put the demo onto a server."""
    server.websocket("/ws", Echo())
    broadcast = settings["broadcast"]
    Broadcast(server, broadcast["text"], broadcast["interval"])
    server.files("/", "/www")
