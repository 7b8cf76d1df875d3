"""What /ws does, the chapter's first two examples: an echo, and something for everybody who
listens, again and again.
"""


class Echo:
    """Every message goes back to where it came from."""

    def on_message(self, client, message):
        client.send(message)


class Broadcast:
    """Sends `text` to all clients at `path` every `interval` seconds, its "{}" being a count.

    The count only grows when somebody listens. 0 as interval: never.
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
