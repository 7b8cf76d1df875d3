"""A client of /demo."""

from __future__ import annotations

import json

import websocket


class Guest:
    """A client that got its welcome. Attributes: `id`, and `welcome`, the message."""

    def __init__(self, board):
        self.board = board
        self.socket = websocket.create_connection(board.ws_url("/demo"), timeout=10)
        self.welcome = self.wait("welcome")
        self.id = self.welcome["id"]
        self.wait("clients")

    def say(self, order):
        """Send a string unchanged, bytes as a binary message, and anything else as JSON."""
        if isinstance(order, bytes):
            self.socket.send_binary(order)
        else:
            self.socket.send(order if isinstance(order, str) else json.dumps(order))
        return self

    def hear(self):
        """Return the next message: a dict, or a string if it is not a JSON object."""
        text = self.socket.recv()
        return json.loads(text) if text.startswith("{") else text

    def wait(self, kind):
        """Return the next message of this type; skip others."""
        while True:
            message = self.hear()
            if isinstance(message, dict) and message["type"] == kind:
                return message

    def rest(self):
        """Return all messages that arrive before the answer to an echo."""
        self.say({"echo": "so far"})
        messages = []
        while True:
            message = self.hear()
            if isinstance(message, dict) and message.get("echo") == "so far":
                return messages
            messages.append(message)

    def error(self, order):
        """Send an invalid command and return the error text."""
        return self.say(order).wait("error")["error"]

    def leave(self):
        self.socket.close()
