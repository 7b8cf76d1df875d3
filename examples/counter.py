"""Exercise 1: all clients see the number of connected clients. ws://192.168.4.1/ws"""


class Counter:
    def __init__(self, server):
        self.server = server

    def on_open(self, client):
        self.send_count()

    def on_close(self, client, code, reason):
        self.send_count()

    def send_count(self):
        count = len([client for client in self.server.clients if client.is_open])
        self.server.broadcast("clients: %d" % count, path="/ws")


def setup(board):
    board.server.websocket("/ws", Counter(board.server))
