"""The endpoint /ws: an echo, and a periodic broadcast to its clients."""


class Echo:
    """Send every message back to its sender."""

    def on_message(self, client, message):
        client.send(message)


def broadcast(server, text: str, interval: float, path: str = "/ws") -> None:
    """Send `text` to all clients at `path` every `interval` seconds.

    "{}" in the text becomes a counter, which counts only broadcasts that reached a client.
    """
    count = 1

    def send():
        nonlocal count
        if server.broadcast(text.replace("{}", str(count)), path):
            count += 1

    server.every(max(1, int(interval * 1000)), send)
