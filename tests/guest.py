"""Somebody at /demo, who speaks plain WebSocket."""

from __future__ import annotations

import json

import websocket


class Guest:
    """A client that has been welcomed: `id`, and `welcome`, the message."""

    def __init__(self, board):
        self.socket = websocket.create_connection(board.ws_url("/demo"), timeout=10)
        self.welcome = self.wait("welcome")
        self.id = self.welcome["id"]
        self.wait("clients")

    def say(self, order):
        """Send text as it is, bytes as binary, and anything else as JSON."""
        if isinstance(order, bytes):
            self.socket.send_binary(order)
        else:
            self.socket.send(order if isinstance(order, str) else json.dumps(order))
        return self

    def hear(self):
        """The next message: a dict, or a text that is no JSON."""
        text = self.socket.recv()
        return json.loads(text) if text.startswith("{") else text

    def wait(self, kind):
        """The next message of this type; what comes before is skipped."""
        while True:
            message = self.hear()
            if isinstance(message, dict) and message["type"] == kind:
                return message

    def rest(self):
        """All that has come by now: what the board says before it answers an echo."""
        self.say({"echo": "so far"})
        messages = []
        while True:
            message = self.hear()
            if isinstance(message, dict) and message.get("echo") == "so far":
                return messages
            messages.append(message)

    def error(self, order):
        """What is wrong with an order."""
        return self.say(order).wait("error")["error"]

    def leave(self):
        self.socket.close()
