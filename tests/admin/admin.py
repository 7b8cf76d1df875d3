"""A connection to a board's /settings, as its page opens it."""

import base64
import json

import websocket

SECRET = "correct horse"


def offer(password):
    """Return the subprotocols of a page that has asked for the password."""
    text = base64.urlsafe_b64encode(password.encode()).decode().rstrip("=")
    return ["settings", "bearer." + text]


class Admin:
    """An admin who has logged in. Use it as a context manager."""

    def __init__(self, board, password=SECRET):
        self.client = websocket.create_connection(
            board.ws_url("/settings"), timeout=10, subprotocols=offer(password)
        )
        self.summary = self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def hear(self):
        """Return the next message, a binary one as bytes."""
        opcode, data = self.client.recv_data()
        assert opcode != websocket.ABNF.OPCODE_CLOSE, data
        return json.loads(data) if opcode == websocket.ABNF.OPCODE_TEXT else data

    def ask(self, **command):
        """Send a command, and return the answer."""
        self.client.send(json.dumps(command))
        return self.hear()

    def send_bytes(self, data):
        """Send a binary message, and return the answer."""
        self.client.send_binary(data)
        return self.hear()
