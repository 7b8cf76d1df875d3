"""A page at /panel, as a program."""

from __future__ import annotations

import json

import websocket


class Viewer:
    """A client that got the greeting. Attributes: `hello`, and `widgets`, the descriptions."""

    def __init__(self, board, secure=None):
        """secure: the SSLContext for wss://."""
        url = board.ws_url("/panel")
        if secure:
            url = f"wss://{board.address}:{board.https_port}/panel"
        self.socket = websocket.create_connection(url, timeout=10, sslopt={"context": secure})
        self.hello = self.wait("panel")
        self.widgets = []
        position = 0
        while position is not None:
            self.say({"describe": position})
            message = self.wait("widgets")
            self.widgets += message["widgets"]
            position = message["next"]
        self.ids = {widget["label"]: widget["id"] for widget in self.widgets}
        self._number = 0

    def say(self, command):
        self.socket.send(command if isinstance(command, str) else json.dumps(command))
        return self

    def hear(self):
        """Return the next message: a dict. An echo becomes one of the type "echo"."""
        text = self.socket.recv()
        return json.loads(text) if text[:1] == "{" else {"type": "echo", "text": text}

    def wait(self, kind, test=lambda message: True):
        """Return the next message of this type that passes the test; skip others."""
        while True:
            message = self.hear()
            if message["type"] == kind and test(message):
                return message

    def value(self, label):
        """Return the next value of a widget."""
        id = str(self.ids[label])
        return self.wait("values", lambda message: id in message["values"])["values"][id]

    def wait_value(self, label, value):
        while self.value(label) != value:
            pass

    def set(self, label, value=None, **options):
        """Send a command. Return the answer."""
        self._number += 1
        self.say({"set": self.ids[label], "value": value, "n": self._number, **options})
        while True:
            message = self.hear()
            if message.get("n") == self._number:
                return message

    def leave(self):
        self.socket.close()
