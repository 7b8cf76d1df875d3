"""The endpoint /ws: an echo, and a periodic broadcast to its clients."""


class Echo:
    """Send every message back to its sender."""

    def on_message(self, client, message):
        client.send(message)


class Broadcast:
    """Send `text` to all clients at `path` every `interval` seconds; 0: never.

    "{}" in the text becomes a counter, which counts only broadcasts that reached a client.
    """

    def __init__(self, server, text: str, interval: float, path: str = "/ws"):
        self.count = 0
        self._server = server
        self._text = text
        self._path = path
        self._timer = server.every(max(1, int(interval * 1000)), self._send) if interval else None

    def cancel(self) -> None:
        """Stop for good."""
        if self._timer:
            self._timer.cancel()

    def _send(self):
        text = self._text.replace("{}", str(self.count + 1))
        if self._server.broadcast(text, self._path):
            self.count += 1
