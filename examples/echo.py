"""Example 1: every message is sent back to its sender. ws://192.168.4.1/ws"""

from wsserver import INFO, Server


class Echo:
    def on_open(self, client):
        print("client %d connected from %s" % (client.id, client.address[0]))

    def on_message(self, client, message):  # a str for text, bytes for binary
        client.send(message)

    def on_close(self, client, code, reason):
        print("client %d disconnected: %d %s" % (client.id, code, reason))


def log(level, text):
    if level >= INFO:
        print(text)


server = Server(max_clients=5, log=log)
server.websocket("/ws", Echo())
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
