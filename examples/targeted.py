"""Exercise 2: {"to": 3, "message": "Hello"} reaches client 3 alone. ws://192.168.4.1/ws"""

import json

from wsserver import Server


class Post:
    def on_open(self, client):
        client.send(json.dumps({"id": client.id}))

    def on_message(self, client, message):
        try:
            order = json.loads(message)
            receiver, text = order["to"], order["message"]
        except (ValueError, KeyError, TypeError):
            self.refuse(client, 'send {"to": 3, "message": "Hello"}')
            return
        other = server.client(receiver)
        if other is None or not other.is_open:
            self.refuse(client, "nobody has the id %s" % receiver)
        elif not isinstance(text, str):
            self.refuse(client, "the message must be a text")
        else:
            other.send(json.dumps({"from": client.id, "message": text}))

    def refuse(self, client, why):
        client.send(json.dumps({"error": why}))


server = Server(max_size=500)
server.websocket("/ws", Post())
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
