"""Exercise 2: {"to": 3, "message": "Hello"} reaches only client 3. ws://192.168.4.1/ws"""

import json


class Messenger:
    def __init__(self, server):
        self.server = server

    def on_open(self, client):
        client.send(json.dumps({"id": client.id}))

    def on_message(self, client, message):
        try:
            command = json.loads(message)
            receiver, text = command["to"], command["message"]
        except (ValueError, KeyError, TypeError):
            self.refuse(client, 'send {"to": 3, "message": "Hello"}')
            return
        other = self.server.client(receiver)
        if other is None or not other.is_open:
            self.refuse(client, "no client has the id %s" % receiver)
        elif not isinstance(text, str):
            self.refuse(client, "the message must be a string")
        else:
            other.send(json.dumps({"from": client.id, "message": text}))

    def refuse(self, client, reason):
        client.send(json.dumps({"error": reason}))


def setup(board):
    board.server.websocket("/ws", Messenger(board.server))
