"""A connection to a board's /settings, as its page opens it."""

import base64
import json

import websocket

SECRET = "correct horse"


class Admin:
    """An admin who has logged in. Use it as a context manager."""

    def __init__(self, board, password=SECRET):
        text = base64.urlsafe_b64encode(password.encode()).decode().rstrip("=")
        protocols = ["settings", "bearer." + text]
        address = board.ws_url("/settings")
        self.client = websocket.create_connection(address, timeout=10, subprotocols=protocols)
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
