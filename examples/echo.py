"""Example 1: every message is sent back to its sender. ws://192.168.4.1/ws"""


class Echo:
    def on_open(self, client):
        print("client %d connected from %s" % (client.id, client.address[0]))

    def on_message(self, client, message):  # a str for text, bytes for binary
        client.send(message)

    def on_close(self, client, code, reason):
        print("client %d disconnected: %d %s" % (client.id, code, reason))


def setup(board):
    board.server.websocket("/ws", Echo())
